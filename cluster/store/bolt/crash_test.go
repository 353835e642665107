package bolt_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store/bolt"
	"github.com/troupe-cloud/troupe/cluster/store/storetest"
)

// crashEnv makes this test binary a writer on the file it names.
const crashEnv = "TROUPE_STORE_CRASH"

// writeUntilKilled commits for ever and prints every key that was acknowledged.
func writeUntilKilled(path string) {
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	var out sync.Mutex
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d/%d/%d", os.Getpid(), w, i)
				if _, err := s.Commit(context.Background(), storetest.Put(key, key)); err != nil {
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(key) // unbuffered: one write a line
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestCrash kills a writer at different moments: what it acknowledged is there.
func TestCrash(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db")
	var acknowledged []string
	for round, lines := range []int{1, 37, 400, 1500} {
		writer := exec.Command(self)
		writer.Env = append(os.Environ(), crashEnv+"="+path)
		pipe, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(pipe)
		for n := 0; in.Scan(); n++ {
			acknowledged = append(acknowledged, in.Text())
			if n == lines {
				_ = writer.Process.Kill()
			}
		}
		_ = writer.Wait()
		s := open(t, path, bolt.Options{})
		for _, key := range acknowledged {
			if got, err := s.Get(t.Context(), key); err != nil || string(got.Value) != key {
				t.Fatalf("round %d: %q was acknowledged and is %q, %v", round, key, got.Value, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged commits survived 4 kills", len(acknowledged))
}
