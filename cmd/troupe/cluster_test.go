package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
	"github.com/troupe-cloud/troupe/messages"
)

func TestConsulFlags(t *testing.T) { // table: one row, one command line
	for name, tt := range map[string]struct {
		flags   consulFlags
		address string
		prefix  string
		bad     string
	}{
		"nothing":                      {flags: consulFlags{}, bad: "is needed"},
		"one server":                   {flags: consulFlags{Address: "h:8500"}, address: "h:8500"},
		"three, and a folder":          {flags: consulFlags{Address: "a:1,b:2,[::1]:3/x/y"}, address: "a:1,b:2,[::1]:3", prefix: "x/y"},
		"no port":                      {flags: consulFlags{Address: "h"}, bad: "is not HOST:PORT"},
		"a URL":                        {flags: consulFlags{Address: "http://h:8500"}, bad: "is not HOST:PORT"},
		"a comma too many":             {flags: consulFlags{Address: "h:1,"}, bad: "is not HOST:PORT"},
		"a certificate without a key":  {flags: consulFlags{Address: "h:1", CA: "x", Cert: "x"}, bad: "belong together"},
		"a certificate for plain HTTP": {flags: consulFlags{Address: "h:1", Cert: "x", Key: "x"}, bad: "needs --consul-ca"},
	} {
		got, err := tt.flags.config(func(string) string { return "secret" })
		var bad settingError
		if tt.bad != "" && (!errors.As(err, &bad) || !strings.Contains(err.Error(), tt.bad)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.bad)
		}
		if tt.bad == "" && (err != nil || got.Address != tt.address || got.Prefix != tt.prefix || got.Token != "secret") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestAdmitting(t *testing.T) {
	got := admitting([]view.Member{
		{Address: "a:1", Roles: view.Compute}, {Address: "b:1", Roles: view.Control, Leaving: true}, {Roles: view.Gateway},
		{Address: "c:1", Roles: view.Control}, {Address: "d:1", Roles: view.Gateway | view.Compute}, {Address: "e:1", Roles: view.AllRoles}, {Address: "f:1", Roles: view.AllRoles},
	})
	if strings.Join(got, " ") != "c:1 d:1 e:1" {
		t.Errorf("%q", got)
	}
}

// site runs commands as a person would, on one Consul.
type site struct {
	t      *testing.T
	consul string
	dir    string
}

func (s *site) run(args ...string) (string, error) {
	root, out := rootCommand(), &bytes.Buffer{}
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(&bytes.Buffer{})
	root.SetIn(strings.NewReader(""))
	err := root.ExecuteContext(s.t.Context())
	return strings.TrimSpace(out.String()), err
}

func (s *site) must(args ...string) string {
	s.t.Helper()
	out, err := s.run(args...)
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return out
}

func (s *site) data(name string) string { return filepath.Join(s.dir, name) }

func TestClusterCommands(t *testing.T) {
	if _, err := consultest.Binary(t.Context()); err != nil {
		t.Skip("no Consul here: ", err)
	}
	consul := consultest.Start(t, consultest.Options{ACL: true, TLS: true, Dev: true})
	t.Setenv("TROUPE_CONSUL_TOKEN", consul.Token())
	t.Setenv("TROUPE_CONSUL_CA", consul.CA())
	t.Setenv("TROUPE_CONSUL_CERT", consul.Cert())
	t.Setenv("TROUPE_CONSUL_KEY", consul.Key())
	s := &site{t: t, consul: consul.Addr() + "/prod", dir: t.TempDir()}
	t.Setenv("TROUPE_CONSUL", s.consul)

	if _, err := s.run("cluster", "token", "create", "--data", s.data("n1"), "--address", "h:1"); exitCode(err) != 3 {
		t.Errorf("before there is a cluster: %v", err)
	}
	s.must("cluster", "init", "--data", s.data("n1"), "--name", "n1")
	if _, err := s.run("cluster", "init", "--data", s.data("other"), "--name", "n9"); exitCode(err) != 5 || !strings.Contains(err.Error(), "holds cluster") {
		t.Errorf("a second init: %v", err)
	}
	first, err := openIdentity(t.Context(), s.data("n1"), "n1", pki.Roles(), "", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	address := s.serve(first)

	if _, err := s.run("cluster", "token", "create", "--data", s.data("n1")); exitCode(err) != 2 || !strings.Contains(err.Error(), "--address") {
		t.Errorf("a token when no node runs: %v", err)
	}
	token := s.must("cluster", "token", "create", "--data", s.data("n1"), "--address", address, "--roles", "compute", "--expires", "10m")
	s.must("cluster", "join", token, "--data", s.data("n2"), "--name", "n2")
	if _, err := s.run("cluster", "join", token, "--data", s.data("n3"), "--name", "n3"); exitCode(err) != 4 || !strings.Contains(err.Error(), "used up") {
		t.Errorf("a token twice: %v", err)
	}
	list := s.must("cluster", "token", "list", "--data", s.data("n1"))
	if !strings.Contains(list, "used up") || !strings.Contains(list, "n2") || strings.Contains(list, strings.Split(token, ".")[1]) {
		t.Errorf("the list:\n%s", list)
	}
	if _, err := s.run("cluster", "token", "list", "--data", s.data("n2")); exitCode(err) != 3 || !strings.Contains(err.Error(), "does not hold the cluster's key") {
		t.Errorf("on a node that only computes: %v", err)
	}
	s.must("cluster", "token", "revoke", strings.Split(token, ".")[0], "--data", s.data("n1"))
	if list := s.must("cluster", "token", "list", "--data", s.data("n1")); strings.Contains(list, "n2") {
		t.Errorf("after it was revoked:\n%s", list)
	}
	s.must("cluster", "cert", "client", "shop", "--data", s.data("n1"), "--out", s.data("shop"))
	if info, err := os.Stat(filepath.Join(s.data("shop"), "client.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the client's key: %v, %v", info, err)
	}
	s.nodes(first)
}

// serve admits nodes as n1 and says where.
func (s *site) serve(n *nodeIdentity) string {
	s.t.Helper()
	flags := consulFlags{Address: s.consul, CA: os.Getenv("TROUPE_CONSUL_CA"), Cert: os.Getenv("TROUPE_CONSUL_CERT"), Key: os.Getenv("TROUPE_CONSUL_KEY")}
	db, err := flags.open(s.t.Context(), "n1")
	if err != nil {
		s.t.Fatal(err)
	}
	live := func(ctx context.Context, name string) (bool, error) {
		members, err := flags.members(ctx)
		for _, m := range members {
			if m.Name == name {
				return true, nil
			}
		}
		return false, err
	}
	if err := n.attach(s.t.Context(), db, live, zerolog.Nop()); err != nil {
		s.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	server := grpc.NewServer(pki.ServerOptions(n.source)...)
	pki.RegisterJoin(server, n.authority)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	s.t.Cleanup(func() {
		server.Stop()
		<-done
		_ = db.Close()
	})
	return l.Addr().String()
}

// nodes looks at what a node may do with what it was given.
func (s *site) nodes(first *nodeIdentity) {
	s.t.Helper()
	ctx := s.t.Context()
	if _, err := openIdentity(ctx, s.data("n2"), "n2", []string{pki.Control}, "", zerolog.Nop()); !errors.Is(err, messages.Denied) || !strings.Contains(err.Error(), "--roles") {
		s.t.Errorf("more roles than the token allowed: %v", err)
	}
	if _, err := openIdentity(ctx, s.data("n2"), "n7", nil, "", zerolog.Nop()); exitCode(err) != 2 {
		s.t.Errorf("another name: %v", err)
	}
	if _, err := openIdentity(ctx, s.data("n8"), "n8", nil, "", zerolog.Nop()); exitCode(err) != 3 || !strings.Contains(err.Error(), "troupe cluster init") {
		s.t.Errorf("no certificate: %v", err)
	}
	second, err := openIdentity(ctx, s.data("n2"), "n2", []string{pki.Compute}, "", zerolog.Nop())
	if err != nil || second.key != nil {
		s.t.Errorf("n2: %+v, %v", second, err)
	}
	// Gateways share their keys: what one made, the other finds.
	var store identity.KeyStore = first.vault.Secret(tokenKeysSecret)
	if err := store.Save(ctx, []byte("x"), 0); err != nil {
		s.t.Error(err)
	}
	if err := store.Save(ctx, []byte("y"), 0); !errors.Is(err, messages.Conflict) {
		s.t.Errorf("made twice: %v", err)
	}
	if value, _, err := store.Load(ctx); err != nil || string(value) != "x" {
		s.t.Errorf("%q, %v", value, err)
	}
}
