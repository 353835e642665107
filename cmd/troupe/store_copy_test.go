package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/bolt"
	"github.com/troupe-cloud/troupe/messages"
)

func runCopy(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := rootCommand()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(append([]string{"store", "copy"}, args...))
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

// TestStoreCopy: a cloud's state goes to Consul and back; what must not be done
// is refused and says why.
func TestStoreCopy(t *testing.T) {
	dir, back := t.TempDir(), filepath.Join(t.TempDir(), "back")
	addr := consultest.Start(t, consultest.Options{Dev: true}).Addr()
	s, err := bolt.Open(filepath.Join(dir, storeFile), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(context.Background(), store.Txn{Writes: []store.Write{{Key: "a", Value: []byte("1")}}}); err != nil {
		t.Fatal(err)
	}
	there := []string{"--from", "bbolt:" + dir, "--to", "consul:" + addr + "/blue"}
	if _, err := runCopy(t, there...); !errors.Is(err, messages.Conflict) || !strings.Contains(err.Error(), "another troupe uses") {
		t.Errorf("while it runs: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what string
		args []string
		kind error
		says string
	}{
		{"there", there, nil, "copied 1 keys, 2 bytes"},
		{"there again", there, messages.Conflict, "not empty"},
		{"back", []string{"--from", "consul:" + addr + "/blue", "--to", "bbolt:" + back}, nil, "copied 1 keys, 2 bytes"},
		{"from nowhere", []string{"--from", "bbolt:" + back + "/none", "--to", "consul:" + addr + "/x"}, messages.NotFound, "no cloud"},
		{"from no cluster", []string{"--from", "consul:" + addr + "/none", "--to", "bbolt:" + back + "2"}, messages.NotFound, "no cluster"},
	} {
		out, err := runCopy(t, tt.args...)
		if err != nil {
			out = err.Error()
		}
		if !errors.Is(err, tt.kind) || !strings.Contains(out, tt.says) {
			t.Errorf("%s: %s (%v)", tt.what, out, err)
		}
	}
	for _, args := range [][]string{
		nil, {"--from", "bbolt:" + dir}, {"--from", "bbolt:", "--to", "consul:x"}, {"--from", "etcd:x", "--to", "bbolt:y"},
		{"--from", "bbolt:" + dir, "--to", "bbolt:" + dir}, {"--from", "bbolt:" + dir, "--to", "consul:" + addr + "/"},
	} {
		if _, err := runCopy(t, args...); exitCode(err) != 2 {
			t.Errorf("%q: %v", args, err)
		}
	}
}
