package pki

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/messages"
)

// TestGateLater: a connection outlives its certificate, but not the calls on it.
func TestGateLater(t *testing.T) {
	b := made(t, testCA(t), "n1", time.Now())
	ctx := peer.NewContext(t.Context(), &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{b.leaf}}}})
	for name, tt := range map[string]struct {
		ctx    context.Context
		now    time.Time
		method string
		want   codes.Code
	}{
		"while it is valid":   {ctx, time.Now(), "/troupe.Peer/Exchange", codes.OK},
		"when it has expired": {ctx, b.leaf.NotAfter.Add(time.Second), "/troupe.Peer/Exchange", codes.PermissionDenied},
		"nobody known":        {t.Context(), time.Now(), "/troupe.Peer/Exchange", codes.PermissionDenied},
		"nobody, to join":     {t.Context(), time.Now(), methodJoin, codes.OK},
		"no method":           {t.Context(), time.Now(), "", codes.PermissionDenied},
	} {
		g := gate{now: func() time.Time { return tt.now }}
		if err := g.check(tt.ctx, tt.method); status.Code(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsCrossTheWire(t *testing.T) {
	for kind := range grpcCodes {
		if got := ourError(grpcError(refuse(kind, "a sentence"))); !errors.Is(got, kind) {
			t.Errorf("%v came as %v", kind, got)
		}
	}
	if got := ourError(grpcError(io.ErrUnexpectedEOF)); !errors.Is(got, messages.Internal) || messages.Sentence(got) != "internal error" {
		t.Errorf("an error of ours: %v", got)
	}
	if got := ourError(grpcError(context.DeadlineExceeded)); !errors.Is(got, messages.Unavailable) {
		t.Errorf("out of time: %v", got)
	}
}

// from is a connection with an address of its own.
type from struct {
	net.Conn
	addr net.Addr
}

func (c from) RemoteAddr() net.Addr { return c.addr }

func pipe(t *testing.T, host byte) (server, client net.Conn) {
	a, b := net.Pipe()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return from{a, &net.TCPAddr{IP: net.IPv4(10, 0, 0, host), Port: 1}}, b
}

func TestStrangersAreBounded(t *testing.T) {
	s := &strangers{hosts: map[string]int{}}
	var in []net.Conn
	for i := range maxStrangers + maxStrangersHost {
		raw, _ := pipe(t, byte(i%16))
		c, err := s.admit(raw)
		if (err == nil) != (i < maxStrangers) {
			t.Fatalf("connection %d: %v", i, err)
		}
		if err == nil {
			in = append(in, c)
		}
	}
	for _, c := range in {
		_, _ = c.Close(), c.Close()
	}
	if s.all != 0 || len(s.hosts) != 0 {
		t.Errorf("%d left: %v", s.all, s.hosts)
	}
	for i := range maxStrangersHost + 1 {
		raw, _ := pipe(t, 1)
		c, err := s.admit(raw)
		if (err == nil) != (i < maxStrangersHost) {
			t.Errorf("connection %d of one host: %v", i, err)
		}
		if c != nil {
			defer c.Close()
		}
	}
}

func TestStrangerSendsLittle(t *testing.T) {
	s := &strangers{hosts: map[string]int{}}
	raw, client := pipe(t, 1)
	c, err := s.admit(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		_, _ = client.Write(make([]byte, 2*strangerBytes)) // ends when the test closes it
	}()
	n, err := io.Copy(io.Discard, c)
	if n != strangerBytes || !errors.Is(err, errStranger) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestStrangerGoesSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &strangers{hosts: map[string]int{}}
		raw, _ := pipe(t, 1)
		c, err := s.admit(raw)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(began) != strangerLife { // the bubble's clock
			t.Errorf("read ended with %v after %v", err, time.Since(began))
		}
		if s.all != 0 {
			t.Error("still counted")
		}
	})
}

func TestConnectionEndsWithItsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw, _ := pipe(t, 1)
		end := time.Now().Add(time.Hour)
		c := endAt(raw, end)
		if _, err := c.Read(make([]byte, 1)); err == nil || !time.Now().Equal(end) { // the bubble's clock
			t.Errorf("read ended with %v at %v", err, time.Now())
		}
		_ = c.Close()
	})
}

func TestLimitsForgetHosts(t *testing.T) {
	now := time.Now()
	l := newLimits(func() time.Time { return now })
	for i := range 3 * maxJoinHosts {
		l.allow(string(rune(i)))
		now = now.Add(50 * time.Millisecond)
		if len(l.hosts) > maxJoinHosts {
			t.Fatalf("%d hosts remembered", len(l.hosts))
		}
	}
	for range hostJoinBurst {
		l.allow("loud")
	}
	if l.allow("loud") || !l.allow("quiet") {
		t.Error("one address takes from another")
	}
}
