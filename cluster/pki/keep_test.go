package pki

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// made is a new certificate of node n1.
func made(t testing.TB, ca *CA, name string, now time.Time) *bundle {
	t.Helper()
	key := newKey()
	der, err := ca.Issue(Identity{Role: Node, Name: name, Roles: Roles()}, key.Public(), now, DefaultNodeLife)
	if err != nil {
		t.Fatal(err)
	}
	b, err := issuedBundle(&messages.IssuedCertificate{Certificate: der, Authority: [][]byte{ca.Cert.Raw}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func signer(ca *CA) Renewer {
	return func(_ context.Context, csr []byte) (*messages.IssuedCertificate, error) {
		public, err := parseRequest(csr)
		if err != nil {
			return nil, err
		}
		der, err := ca.Issue(Identity{Role: Node, Name: "n1", Roles: Roles()}, public, time.Now(), DefaultNodeLife)
		return &messages.IssuedCertificate{Certificate: der, Authority: [][]byte{ca.Cert.Raw}}, err
	}
}

// TestKeep: over a year, with an authority that is away half of the time, the
// certificate is renewed after two thirds of its life and is never invalid.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := testCA(t)
		s := newSource(Files{}, made(t, ca, "n1", time.Now()), Options{})
		ctx, stop := context.WithCancel(t.Context())
		asked, renewed := 0, 0
		away := func(ctx context.Context, csr []byte) (*messages.IssuedCertificate, error) {
			if asked++; asked%2 == 1 {
				return nil, messages.Unavailable
			}
			renewed++
			return signer(ca)(ctx, csr)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Keep(ctx, away)
		}()
		for range 365 {
			time.Sleep(24 * time.Hour) // the bubble's clock
			if err := s.Valid(); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		<-done
		if renewed < 17 || renewed > 19 { // every 20 days
			t.Errorf("renewed %d times", renewed)
		}
	})
}

// TestKeepFiles: a certificate that an operator has put there is taken without a
// restart; nonsense and somebody else's is not.
func TestKeepFiles(t *testing.T) {
	files, ca := NodeFiles(t.TempDir()), testCA(t)
	write := func(b *bundle) {
		t.Helper()
		if err := b.write(files, nil); err != nil {
			t.Fatal(err)
		}
	}
	first, second := made(t, ca, "n1", time.Now()), made(t, ca, "n1", time.Now())
	write(first)
	s, err := Open(files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string { return s.held.Load().leaf.SerialNumber.String() }
	old := made(t, ca, "n1", time.Now().Add(-DefaultNodeLife-time.Hour))
	other := made(t, ca, "n2", time.Now())
	for name, bad := range map[string]struct {
		b    *bundle
		want error
	}{"another's": {other, messages.Conflict}, "an expired one": {old, ErrExpired}} {
		write(bad.b)
		if err := s.Reload(); !errors.Is(err, bad.want) || serial() != first.leaf.SerialNumber.String() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(files.Cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); !errors.Is(err, messages.Invalid) {
		t.Errorf("nonsense: %v", err)
	}
	write(second)
	if err := s.Reload(); err != nil || serial() != second.leaf.SerialNumber.String() {
		t.Errorf("a good one: %v", err)
	}
	if err := os.Chmod(files.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(files, Options{}); !errors.Is(err, messages.Invalid) {
		t.Errorf("a key that all may read: %v", err)
	}
}

// TestCrashWhileRenewing: whichever of the writes was the last before a crash,
// the next start finds a certificate with its key.
func TestCrashWhileRenewing(t *testing.T) {
	ca := testCA(t)
	before, after := made(t, ca, "n1", time.Now()), made(t, ca, "n1", time.Now())
	both := append(append([]byte{}, before.pem.Key...), after.pem.Key...)
	for name, state := range map[string]struct{ cert, key []byte }{
		"nothing written":    {before.pem.Cert, before.pem.Key},
		"keys written":       {before.pem.Cert, both},
		"certificate too":    {after.pem.Cert, both},
		"old key taken away": {after.pem.Cert, after.pem.Key},
	} {
		if _, err := newBundle(PEM{CA: before.pem.CA, Cert: state.cert, Key: state.key}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	files := NodeFiles(t.TempDir())
	if err := errors.Join(before.write(files, nil), after.write(files, before)); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(files.Key), "*"))
	if err != nil || len(left) != 3 {
		t.Errorf("files: %v, %v", left, err)
	}
}

// TestRenewerCannotTakeOver: what a renewer answers is believed only as far as
// the process's own authority goes.
func TestRenewerCannotTakeOver(t *testing.T) {
	ca := testCA(t)
	s := newSource(Files{}, made(t, ca, "n1", time.Now()), Options{})
	twin, err := NewCA(ca.Cluster, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		r    Renewer
		want error
	}{
		"another authority": {signer(twin), ErrUntrusted},
		"another name": {func(_ context.Context, csr []byte) (*messages.IssuedCertificate, error) {
			public, err := parseRequest(csr)
			if err != nil {
				return nil, err
			}
			der, err := ca.Issue(Identity{Role: Node, Name: "n2", Roles: Roles()}, public, time.Now(), DefaultNodeLife)
			return &messages.IssuedCertificate{Certificate: der}, err
		}, ErrName},
		"another key": {func(context.Context, []byte) (*messages.IssuedCertificate, error) {
			return &messages.IssuedCertificate{Certificate: made(t, ca, "n1", time.Now()).leaf.Raw}, nil
		}, messages.Invalid},
		"nothing": {func(context.Context, []byte) (*messages.IssuedCertificate, error) { return nil, nil }, messages.Invalid},
	} {
		if err := s.Renew(t.Context(), tt.r); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
