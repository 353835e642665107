package pki_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/pki/pkitest"
	"github.com/troupe-cloud/troupe/messages"
)

// at is a cluster whose clock stands still, away from the real one.
func at(c *pkitest.Cluster, away time.Duration) *pkitest.Cluster {
	now := time.Now().Add(away)
	return &pkitest.Cluster{ID: c.ID, CA: c.CA, Now: func() time.Time { return now }}
}

// blind is TLS that shows the certificate of s and believes anybody: what an
// attacker, or a program without these checks, would send.
func blind(t testing.TB, p *pki.PEM) grpc.DialOption {
	t.Helper()
	c := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if p != nil {
		pair, err := tls.X509KeyPair(p.Cert, p.Key)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return grpc.WithTransportCredentials(credentials.NewTLS(c))
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take is what was written since it was last asked.
func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

func TestWhoGetsIn(t *testing.T) {
	ours, other := pkitest.New(t), pkitest.New(t)
	forged, err := pki.NewCA(ours.ID, ours.CA.Cert.NotBefore) // says that it is ours
	if err != nil {
		t.Fatal(err)
	}
	twin := &pkitest.Cluster{ID: ours.ID, CA: forged, Now: time.Now}
	node := pki.Identity{Role: pki.Node, Name: "n2", Roles: pki.Roles()}
	client := pki.Identity{Role: pki.Client, Name: "shop"}
	month := 30 * 24 * time.Hour
	pem := func(c *pkitest.Cluster, id pki.Identity) *pki.PEM {
		p := c.PEM(t, id, month)
		return &p
	}
	log := &lines{}
	server, err := pki.NewSource(ours.PEM(t, pki.Identity{Role: pki.Node, Name: "n1", Roles: pki.Roles()}, month), pki.Options{Log: zerolog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, server)
	for name, tt := range map[string]struct {
		as     grpc.DialOption
		method string
		want   string // identity, if it gets in
		code   codes.Code
		log    string // why, in the server's log
	}{
		"a node":                             {as(ours.Node(t, "n2"), "n1"), callBlobs, "node n2", codes.OK, ""},
		"a node, whoever answers":            {as(ours.Node(t, "n2"), ""), callPeer, "node n2", codes.OK, ""},
		"a client":                           {as(ours.Client(t, "shop"), "n1"), callPeer, "client shop", codes.OK, ""},
		"a client where a node is needed":    {as(ours.Client(t, "shop"), "n1"), callBlobs, "", codes.PermissionDenied, ""},
		"no certificate":                     {blind(t, nil), callPeer, "", codes.PermissionDenied, ""},
		"plain text":                         {grpc.WithTransportCredentials(insecure.NewCredentials()), callPeer, "", codes.Unavailable, ""},
		"expired":                            {blind(t, pem(at(ours, -2*month), node)), callPeer, "", codes.Unavailable, "node n2 has expired, or a clock is wrong"},
		"not valid yet":                      {blind(t, pem(at(ours, time.Hour), node)), callPeer, "", codes.Unavailable, "node n2 is not valid yet, or a clock is wrong"},
		"another cluster's":                  {blind(t, pem(other, node)), callPeer, "", codes.Unavailable, "is cluster " + other.ID + "'s"},
		"another authority that says ours":   {blind(t, pem(twin, node)), callPeer, "", codes.Unavailable, "node n2 was not signed"},
		"a client of another authority":      {blind(t, pem(twin, client)), callPeer, "", codes.Unavailable, "client shop was not signed"},
		"an unknown service, without one":    {blind(t, nil), "/troupe.Nothing/Who", "", codes.PermissionDenied, ""},
		"an unknown service, with a node's":  {as(ours.Node(t, "n2"), ""), "/troupe.Nothing/Who", "", codes.Unimplemented, ""},
		"a stranger who names it like Join":  {blind(t, nil), "/troupe.Join.x/Who", "", codes.PermissionDenied, ""},
		"a stranger with an odd method name": {blind(t, nil), "//troupe.Join/Who", "", codes.PermissionDenied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := call(t, address, tt.method, tt.as)
			if status.Code(err) != tt.code || got != tt.want {
				t.Errorf("got %q, %v; want %q, %v", got, err, tt.want, tt.code)
			}
			if !strings.Contains(log.take(), tt.log) {
				t.Errorf("the server's log does not say %q", tt.log)
			}
		})
	}
}

// TestWhatTheDiallerSays: the side that dials checks whom it reached, and its own
// certificate, and says which of them it is.
func TestWhatTheDiallerSays(t *testing.T) {
	ours, other := pkitest.New(t), pkitest.New(t)
	twinCA, err := pki.NewCA(ours.ID, ours.CA.Cert.NotBefore)
	if err != nil {
		t.Fatal(err)
	}
	twin := &pkitest.Cluster{ID: ours.ID, CA: twinCA, Now: time.Now}
	year := 365 * 24 * time.Hour
	me := ours.Node(t, "me")
	for name, tt := range map[string]struct {
		server, client *pki.Source
		want           string
	}{
		"another cluster's server":  {other.Node(t, "n1"), me, "cluster " + other.ID + "'s"},
		"a forged server":           {twin.Node(t, "n1"), me, "was not signed by the authority"},
		"another node":              {ours.Node(t, "n9"), me, "the certificate is node n9's, and node n1 was called"},
		"a server that is a client": {ours.Client(t, "n1"), me, "only a node may answer"},
		"a server that has expired": {at(ours, -year).Node(t, "n1"), me, "node n1 has expired, or a clock is wrong"},
		"a server of the future":    {at(ours, time.Hour).Node(t, "n1"), me, "node n1 is not valid yet, or a clock is wrong"},
		"its own has expired":       {ours.Node(t, "n1"), expired(t, ours), "cannot show its own"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := call(t, serve(t, tt.server), callPeer, as(tt.client, "n1"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// expired is a source whose certificate was made a year ago.
func expired(t *testing.T, c *pkitest.Cluster) *pki.Source {
	p := at(c, -365*24*time.Hour).PEM(t, pki.Identity{Role: pki.Node, Name: "old", Roles: pki.Roles()}, pki.DefaultNodeLife)
	s, err := pki.NewSource(p, pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Valid(); !errors.Is(err, pki.ErrExpired) {
		t.Fatalf("valid: %v", err)
	}
	return s
}

// TestRotationUnderLoad: certificates on both sides are replaced all the time;
// no call fails, on connections that stand and on new ones.
func TestRotationUnderLoad(t *testing.T) {
	c := pkitest.New(t)
	server, client := c.Node(t, "n1"), c.Node(t, "n2")
	address := serve(t, server)
	standing := dial(t, address, as(client, "n1"))
	var calls, failed atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	for i := range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				conn := standing
				if i%2 == 0 {
					conn = dial(t, address, as(client, "n1"))
				}
				err := conn.Invoke(context.WithoutCancel(ctx), callPeer, &messages.Done{}, &messages.Admitted{})
				if conn != standing {
					_ = conn.Close()
				}
				if calls.Add(1); err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20 {
		for _, s := range []*pki.Source{server, client} {
			changed, before := s.Changed(), calls.Load()
			if err := s.Renew(ctx, c.Renewer(s.Self())); err != nil {
				t.Fatal(err)
			}
			<-changed
			for calls.Load() < before+8 && failed.Load() == 0 { // calls go on in between
				_ = standing.Invoke(ctx, callPeer, &messages.Done{}, &messages.Admitted{})
			}
		}
	}
	stop()
	load.Wait()
	t.Logf("%d calls while both sides had 20 certificates", calls.Load())
}
