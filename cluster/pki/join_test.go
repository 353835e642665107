package pki_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// site is a cluster with one node, n1, that admits others.
type site struct {
	t         *testing.T
	store     store.Store
	files     pki.Files // of n1
	source    *pki.Source
	authority *pki.Authority
	address   string
	live      sync.Map     // names of members
	away      atomic.Int64 // by how much n1's clock is ahead, ns
	log       *lines
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, store: mem.New(), files: pki.NodeFiles(t.TempDir()), log: &lines{}}
	t.Cleanup(func() { _ = s.store.Close() })
	_, err := pki.Found(t.Context(), pki.Founding{Store: s.store, Files: s.files, Name: "n1"})
	s.ok(err)
	s.source, err = pki.Open(s.files, pki.Options{})
	s.ok(err)
	s.authority = s.open(zerolog.New(s.log))
	s.address = serve(t, s.source, func(r grpc.ServiceRegistrar) { pki.RegisterJoin(r, s.authority) })
	return s
}

func (s *site) open(log zerolog.Logger) *pki.Authority {
	key, err := pki.ReadClusterKey(s.files)
	s.ok(err)
	a, err := pki.OpenAuthority(context.Background(), pki.AuthorityConfig{Store: s.store, Key: key, Log: log, Now: s.now,
		Live: func(_ context.Context, name string) (bool, error) { _, ok := s.live.Load(name); return ok, nil }})
	s.ok(err)
	return a
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.away.Load())) }

func (s *site) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) token(spec pki.TokenSpec) string {
	s.t.Helper()
	spec.Addresses = []string{s.address}
	token, err := s.authority.CreateToken(s.t.Context(), spec)
	s.ok(err)
	return token.Text()
}

// join is a new node's try, in a folder of its own.
func (s *site) join(token, name string, roles ...string) (pki.Files, error) {
	files := pki.NodeFiles(s.t.TempDir())
	_, err := pki.Join(s.t.Context(), pki.JoinConfig{Token: token, Files: files, Name: name, Roles: roles})
	return files, err
}

// fields are the parts of a token.
func fields(token string) []string { return strings.SplitN(token, ".", 4) }

func TestJoin(t *testing.T) {
	s := newSite(t)
	files, err := s.join(s.token(pki.TokenSpec{}), "n2")
	s.ok(err)
	n2, err := pki.Open(files, pki.Options{})
	s.ok(err)
	if got, err := call(t, s.address, callBlobs, as(n2, "n1")); err != nil || got != "node n2" {
		t.Errorf("%q, %v", got, err)
	}
	ours, err := pki.ReadClusterKey(s.files)
	s.ok(err)
	theirs, err := pki.ReadClusterKey(files)
	s.ok(err)
	if ours.ID() != theirs.ID() || n2.Cluster() != s.source.Cluster() {
		t.Error("another cluster")
	}
	for _, path := range []string{files.Key, files.ClusterKey, s.files.Key, s.files.ClusterKey} {
		info, err := os.Stat(path)
		s.ok(err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", path, info.Mode())
		}
	}
	// n2 can admit in its turn, and sees the same vault.
	if _, _, err := pki.NewVault(s.store, theirs).Open(t.Context(), "ca"); err != nil {
		t.Error(err)
	}
	s.keepsSecrets(files)
}

// keepsSecrets looks for what must not be in a log or in the store.
func (s *site) keepsSecrets(joined pki.Files) {
	s.t.Helper()
	log := s.log.take()
	for _, path := range []string{joined.Key, joined.ClusterKey, s.files.Key} {
		raw, err := os.ReadFile(path)
		s.ok(err)
		for line := range strings.Lines(string(raw)) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "--") && strings.Contains(log, line) {
				s.t.Errorf("a line of %s is in the log", path)
			}
		}
	}
	items, _, err := s.store.List(s.t.Context(), "", "", 0)
	s.ok(err)
	for _, item := range items {
		if strings.Contains(string(item.Value), "gateway") {
			s.t.Errorf("%s is not sealed", item.Key)
		}
	}
}

func TestComputeNodeGetsNoKey(t *testing.T) {
	s := newSite(t)
	files, err := s.join(s.token(pki.TokenSpec{}), "n2", pki.Compute)
	s.ok(err)
	if _, err := pki.ReadClusterKey(files); !errors.Is(err, messages.NotFound) {
		t.Errorf("%v", err)
	}
	n2, err := pki.Open(files, pki.Options{})
	s.ok(err)
	if err := n2.Self().May([]string{pki.Control}); !errors.Is(err, messages.Denied) {
		t.Errorf("may control: %v", err)
	}
	// It renews its certificate through a node that has the key, and stays what it is.
	before := n2.Self().Until
	s.ok(n2.Renew(t.Context(), pki.RenewOver(dial(t, s.address, as(n2, "n1")))))
	s.ok(n2.Self().May([]string{pki.Compute}))
	if err := n2.Self().May([]string{pki.Control}); err == nil || !n2.Self().Until.Equal(before) && n2.Self().Until.Before(before) {
		t.Errorf("renewed to %+v", n2.Self())
	}
	again, err := pki.Open(files, pki.Options{})
	s.ok(err)
	if !again.Self().Until.Equal(n2.Self().Until) {
		t.Error("the files have another certificate")
	}
}

func TestRefusedTokens(t *testing.T) {
	s, other := newSite(t), newSite(t)
	s.live.Store("taken", true)
	good := s.token(pki.TokenSpec{})
	once := s.token(pki.TokenSpec{})
	_, err := s.join(once, "first")
	s.ok(err)
	old := s.token(pki.TokenSpec{Life: time.Minute})
	revoked := s.token(pki.TokenSpec{})
	s.ok(s.authority.RevokeToken(t.Context(), fields(revoked)[0]))
	parts := fields(good)
	swap := func(i int, with string) string {
		p := append([]string{}, parts...)
		p[i] = with
		return strings.Join(p, ".")
	}
	alien := fields(other.token(pki.TokenSpec{}))
	s.away.Store(int64(70 * time.Second)) // n1's clock
	for name, tt := range map[string]struct {
		token, name string
		roles       []string
		away        time.Duration // of the new node's clock
		want        error
		say         string
	}{
		"no token at all":      {token: "hello", name: "n2", want: messages.Invalid, say: "no join token"},
		"no good name":         {token: good, name: "n 2", want: messages.Invalid, say: "is no name"},
		"used up":              {token: once, name: "n2", away: 70 * time.Second, want: messages.Denied, say: "used up: it has admitted 1 of 1"},
		"expired":              {token: old, name: "n2", away: 70 * time.Second, want: messages.Denied, say: "has expired at"},
		"revoked":              {token: revoked, name: "n2", away: 70 * time.Second, want: messages.Denied, say: "no such join token"},
		"another secret":       {token: swap(1, alien[1]), name: "n2", away: 70 * time.Second, want: messages.Denied, say: "no such join token"},
		"another cluster's":    {token: swap(2, alien[2]), name: "n2", away: 70 * time.Second, want: pki.ErrOtherCluster, say: "not of the cluster that made this token"},
		"a name that is taken": {token: good, name: "taken", away: 70 * time.Second, want: messages.Conflict, say: "is called taken"},
		"an unknown role":      {token: good, name: "n2", roles: []string{"king"}, away: 70 * time.Second, want: messages.Invalid, say: "the roles are"},
		"a clock far off":      {token: good, name: "n2", want: messages.Invalid, say: "set the clocks"},
		"a clock years off":    {token: good, name: "n2", away: 9000 * time.Hour, want: pki.ErrExpired, say: "or a clock is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			files := pki.NodeFiles(t.TempDir())
			_, err := pki.Join(t.Context(), pki.JoinConfig{Token: tt.token, Files: files, Name: tt.name, Roles: tt.roles,
				Now: func() time.Time { return time.Now().Add(tt.away) }})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("got %v; want %v and %q", err, tt.want, tt.say)
			}
			if _, err := os.Stat(files.Cert); err == nil {
				t.Error("there is a certificate")
			}
		})
	}
	s.away.Store(0)
	if _, err := s.join(good, "n2"); err != nil {
		t.Errorf("what was refused has used up the token: %v", err)
	}
}

// TestRaceForOneToken: of many that come at once with a token for three, three
// get in.
func TestRaceForOneToken(t *testing.T) {
	s := newSite(t)
	token := s.token(pki.TokenSpec{Uses: 3})
	var in, out atomic.Int64
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			_, err := s.join(token, "n"+string(rune('a'+i)))
			if err == nil {
				in.Add(1)
			} else if strings.Contains(err.Error(), "used up") {
				out.Add(1)
			} else {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if in.Load() != 3 || out.Load() != 9 {
		t.Errorf("%d in, %d out", in.Load(), out.Load())
	}
}

// TestJoinAgain: who lost the answer, or is started again with the same flags,
// gets in with the token that it has used up.
func TestJoinAgain(t *testing.T) {
	s := newSite(t)
	token := s.token(pki.TokenSpec{})
	c := pki.JoinConfig{Token: token, Files: pki.NodeFiles(t.TempDir()), Name: "n2"}
	_, err := pki.Join(t.Context(), c)
	s.ok(err)
	_, err = pki.Join(t.Context(), c)
	s.ok(err)
	s.ok(os.Remove(c.Files.Cert)) // the answer was lost
	_, err = pki.Join(t.Context(), c)
	s.ok(err)
	c.Name = "n3"
	if _, err = pki.Join(t.Context(), c); !errors.Is(err, messages.Conflict) {
		t.Errorf("under another name: %v", err)
	}
	c.Name, c.Token = "n2", newSite(t).token(pki.TokenSpec{})
	if _, err = pki.Join(t.Context(), c); !errors.Is(err, messages.Conflict) {
		t.Errorf("to another cluster: %v", err)
	}
}

// TestJoinElsewhere: of the addresses in a token one is enough; where nobody
// answers, or somebody who cannot admit, the next is asked.
func TestJoinElsewhere(t *testing.T) {
	s := newSite(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	s.ok(err)
	s.ok(dead.Close())
	compute := serve(t, s.source) // without the service
	token, err := s.authority.CreateToken(t.Context(), pki.TokenSpec{Addresses: []string{dead.Addr().String(), compute, s.address}})
	s.ok(err)
	_, err = s.join(token.Text(), "n2")
	s.ok(err)
	token, err = s.authority.CreateToken(t.Context(), pki.TokenSpec{Addresses: []string{dead.Addr().String(), compute}})
	s.ok(err)
	saysWhy := func() bool {
		return errors.Is(err, messages.Unavailable) && strings.Contains(err.Error(), "refused") && strings.Contains(err.Error(), "admits nobody")
	}
	err = nil
	for limit := time.Second; !saysWhy() && limit < time.Minute; limit *= 2 { // on a busy machine both must have had the time to answer
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err = pki.Join(ctx, pki.JoinConfig{Token: token.Text(), Files: pki.NodeFiles(t.TempDir()), Name: "n3"})
		cancel()
	}
	if !saysWhy() {
		t.Errorf("nowhere: %v", err)
	}
}

// TestExpiredNode: a node that has slept too long cannot renew, says so, and
// comes back with a new token. One that holds the cluster's key helps itself.
func TestExpiredNode(t *testing.T) {
	s := newSite(t)
	data := filepath.Join(t.TempDir(), "data")
	c := pki.JoinConfig{Token: s.token(pki.TokenSpec{}), Files: pki.NodeFiles(data), Name: "n2", Roles: []string{pki.Compute}}
	_, err := pki.Join(t.Context(), c)
	s.ok(err)
	later := func() time.Time { return time.Now().Add(pki.DefaultNodeLife + time.Hour) }
	slept, err := pki.Open(c.Files, pki.Options{Now: later})
	s.ok(err)
	if err := slept.Valid(); !errors.Is(err, pki.ErrExpired) {
		t.Errorf("valid: %v", err)
	}
	if err := slept.Renew(t.Context(), pki.RenewOver(dial(t, s.address, as(slept, "")))); err == nil || !strings.Contains(err.Error(), "or a clock is wrong") {
		t.Errorf("renewed: %v", err)
	}
	s.away.Store(int64(pki.DefaultNodeLife + time.Hour)) // of the authority
	first, err := pki.Open(s.files, pki.Options{Now: s.now})
	s.ok(err)
	s.ok(first.Renew(t.Context(), s.authority.Renewer(first)))
	s.ok(first.Valid())
	s.address = serve(t, first, func(r grpc.ServiceRegistrar) { pki.RegisterJoin(r, s.authority) })
	c.Token, c.Now = s.token(pki.TokenSpec{}), later
	_, err = pki.Join(t.Context(), c)
	s.ok(err)
	s.ok(slept.Reload())
	s.ok(slept.Valid())
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("the data folder: %v, %v", info.Mode(), err)
	}
}

func TestOldTokensGo(t *testing.T) {
	s := newSite(t)
	count := func() int {
		t.Helper()
		all, err := s.authority.Tokens(t.Context())
		s.ok(err)
		return len(all)
	}
	s.token(pki.TokenSpec{Life: time.Minute})
	s.token(pki.TokenSpec{Life: 30 * time.Hour})
	s.away.Store(int64(26 * time.Hour))
	if s.token(pki.TokenSpec{}); count() != 2 {
		t.Errorf("%d tokens", count())
	}
	for name, spec := range map[string]pki.TokenSpec{
		"for ever": {Life: pki.MaxTokenLife + 1}, "for everybody": {Uses: pki.MaxTokenUses + 1}, "for less than none": {Uses: -1},
		"for a king": {Roles: []string{"king"}}, "for a role twice": {Roles: []string{pki.Compute, pki.Compute}}, "to nowhere": {},
	} {
		if name != "to nowhere" {
			spec.Addresses = []string{"h:1"}
		}
		if _, err := s.authority.CreateToken(t.Context(), spec); !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBruteForce(t *testing.T) {
	s := newSite(t)
	good := s.token(pki.TokenSpec{})
	parts := fields(good)
	wrong := fields(s.token(pki.TokenSpec{}))[1]
	guess := strings.Join([]string{parts[0], wrong, parts[2], parts[3]}, ".")
	var denied, slowed int
	for slowed == 0 && denied < 1000 {
		_, err := s.join(guess, "n2")
		switch {
		case errors.Is(err, messages.Denied):
			denied++
		case errors.Is(err, messages.Exhausted):
			slowed++
		default:
			t.Fatal(err)
		}
	}
	if slowed == 0 {
		t.Errorf("%d guesses, and nobody minds", denied)
	}
	s.away.Store(int64(20 * time.Second)) // time passes: the right one is still good
	_, err := s.join(good, "n2")
	s.ok(err)
}

func TestRenewNeedsACertificate(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	_, err := s.authority.IssueClient(t.Context(), pki.Identity{Name: "shop"}, time.Hour, pki.ClientFiles(dir))
	s.ok(err)
	client, err := pki.Open(pki.ClientFiles(dir), pki.Options{})
	s.ok(err)
	if got, err := call(t, s.address, callPeer, as(client, "n1")); err != nil || got != "client shop" {
		t.Errorf("%q, %v", got, err)
	}
	for name, creds := range map[string]grpc.DialOption{"no certificate": blind(t, nil), "a client's": as(client, "n1")} {
		err := s.source.Renew(t.Context(), pki.RenewOver(dial(t, s.address, creds)))
		if !errors.Is(err, messages.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.authority.IssueClient(t.Context(), pki.Identity{Name: "shop"}, 2*pki.MaxClientLife, pki.ClientFiles(dir)); !errors.Is(err, messages.Invalid) {
		t.Errorf("for ever: %v", err)
	}
}

// TestConfinedClient: what a client's certificate confines it to is what nodes see.
func TestConfinedClient(t *testing.T) {
	s := newSite(t)
	for name, who := range map[string]pki.Identity{
		"an operator's": {Name: "a"}, "a project's": {Name: "b", Project: "p-1.x_y"}, "a reader's": {Name: "c", Reader: true},
		"both": {Name: "d", Project: "p1", Reader: true},
	} {
		dir := t.TempDir()
		_, err := s.authority.IssueClient(t.Context(), who, time.Hour, pki.ClientFiles(dir))
		s.ok(err)
		source, err := pki.Open(pki.ClientFiles(dir), pki.Options{})
		s.ok(err)
		if got := source.Self(); got.Role != pki.Client || got.Name != who.Name || got.Project != who.Project || got.Reader != who.Reader || got.Roles != nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for _, project := range []string{"a b", "a&role=reader", "é", "a/b"} {
		_, err := s.authority.IssueClient(t.Context(), pki.Identity{Name: "x", Project: project}, time.Hour, pki.ClientFiles(t.TempDir()))
		if !errors.Is(err, messages.Invalid) {
			t.Errorf("project %q: %v", project, err)
		}
	}
}

func TestFound(t *testing.T) {
	s := newSite(t)
	ctx, at := t.Context(), func(dir string) pki.Founding {
		return pki.Founding{Store: s.store, Files: pki.NodeFiles(dir), Name: "n1"}
	}
	if _, err := pki.Found(ctx, at(t.TempDir())); !errors.Is(err, messages.Conflict) {
		t.Errorf("a second cluster in one store: %v", err)
	}
	own := pki.Founding{Store: s.store, Files: s.files, Name: "n1"}
	if _, err := pki.Found(ctx, own); !errors.Is(err, messages.Conflict) {
		t.Errorf("again in the same folder: %v", err)
	}
	// Broken off before the certificate was written: it goes on.
	for _, path := range []string{s.files.Cert, s.files.Key, s.files.CA} {
		s.ok(os.Remove(path))
	}
	id, err := pki.Found(ctx, own)
	s.ok(err)
	if id.Cluster != s.source.Cluster() {
		t.Error("another cluster")
	}
	own.Store, own.Files, own.Roles = mem.New(), pki.NodeFiles(t.TempDir()), []string{pki.Compute}
	if _, err := pki.Found(ctx, own); !errors.Is(err, messages.Invalid) {
		t.Errorf("a first node that can admit nobody: %v", err)
	}
	s.ok(own.Store.Close())
}

func TestAuthorityOfAnotherCluster(t *testing.T) {
	a, b := newSite(t), newSite(t)
	key, err := pki.ReadClusterKey(a.files)
	a.ok(err)
	_, err = pki.OpenAuthority(t.Context(), pki.AuthorityConfig{Store: b.store, Key: key})
	if !errors.Is(err, pki.ErrOtherKey) {
		t.Errorf("%v", err)
	}
	if err := pki.CheckStore(t.Context(), b.store, a.source); !errors.Is(err, pki.ErrOtherCluster) {
		t.Errorf("%v", err)
	}
	a.ok(pki.CheckStore(t.Context(), a.store, a.source))
	if err := a.source.Renew(t.Context(), b.authority.Renewer(a.source)); !errors.Is(err, pki.ErrOtherCluster) {
		t.Errorf("%v", err)
	}
	open := filepath.Join(t.TempDir(), "x")
	a.ok(os.WriteFile(open, []byte("00"), 0o644))
	if _, err := pki.ReadClusterKey(pki.Files{ClusterKey: open}); !errors.Is(err, messages.Invalid) || !strings.Contains(err.Error(), "0600") {
		t.Errorf("a key that all may read: %v", err)
	}
}
