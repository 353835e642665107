package pki

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/messages"
)

// Options of a Source.
type Options struct {
	Log zerolog.Logger
	Now func() time.Time // nil: time.Now
}

// Source holds the certificate that a process shows and the authority that it
// believes. Both can be replaced while connections go on: each new handshake
// takes what stands at that moment. Safe for concurrent use.
type Source struct {
	files Files // zero: in memory only
	log   zerolog.Logger
	noisy zerolog.Logger // for what strangers can cause
	now   func() time.Time
	held  atomic.Pointer[bundle]

	mu      sync.Mutex // held while replacing
	changed chan struct{}
}

// Open reads the files. A certificate that has expired is no error here, for its
// owner may be able to renew it: see Valid. NotFound if there is none.
func Open(files Files, o Options) (*Source, error) {
	b, err := readBundle(files)
	if err != nil {
		return nil, err
	}
	return newSource(files, b, o), nil
}

// NewSource holds p in memory: what is renewed is not written anywhere.
func NewSource(p PEM, o Options) (*Source, error) {
	b, err := newBundle(p)
	if err != nil {
		return nil, err
	}
	return newSource(Files{}, b, o), nil
}

func newSource(files Files, b *bundle, o Options) *Source {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Source{files: files, log: o.Log, now: o.Now, changed: make(chan struct{})}
	s.noisy = o.Log.Sample(&zerolog.BurstSampler{Burst: refusalLines, Period: time.Minute})
	s.held.Store(b)
	return s
}

// refusalLines is how many refused connections a minute are logged.
const refusalLines = 20

// Self is who this process is.
func (s *Source) Self() Identity { return s.held.Load().self }

// Cluster is the id of the cluster it belongs to.
func (s *Source) Cluster() string { return s.Self().Cluster }

// Valid says whether the own certificate can be used now: ErrExpired or
// ErrNotYetValid.
func (s *Source) Valid() error {
	b := s.held.Load()
	return checkTimes(b.self, b.leaf, s.now())
}

// Changed is closed when another certificate is in force. Connections that were
// made before go on with the old one, until it ends.
func (s *Source) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// replace puts b in force. The caller holds mu.
func (s *Source) replace(b *bundle) {
	s.held.Store(b)
	close(s.changed)
	s.changed = make(chan struct{})
	s.log.Info().Str("name", b.self.Name).Time("until", b.leaf.NotAfter).Str("serial", b.leaf.SerialNumber.Text(16)).Msg("certificate replaced")
}

// Reload reads the files again. What they say must be the same identity, and not
// worse than what is in force; else that stays. No change is no error.
func (s *Source) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == (Files{}) {
		return nil
	}
	b, err := readBundle(s.files)
	if err != nil {
		return err
	}
	before := s.held.Load()
	if b.pem.equal(before.pem) {
		return nil
	}
	if b.self.url().String() != before.self.url().String() {
		return fmt.Errorf("%s is now %v's of cluster %s; this process is %v of cluster %s until it is started anew: %w",
			s.files.Cert, b.self, b.self.Cluster, before.self, before.self.Cluster, messages.Conflict)
	}
	if err := checkTimes(b.self, b.leaf, s.now()); err != nil {
		return fmt.Errorf("%s: %w", s.files.Cert, err)
	}
	s.replace(b)
	return nil
}

// ServerConfig is for the side that is dialled. A certificate is asked for and,
// if one is shown, verified; a connection without one is let through, for the
// service that admits new nodes. ServerOptions keeps it from everything else.
func (s *Source) ServerConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			c := s.serverConfig()
			remote := hello.Conn.RemoteAddr().String()
			c.VerifyConnection = func(state tls.ConnectionState) error {
				if len(state.PeerCertificates) == 0 {
					return nil
				}
				_, err := s.check(x509.ExtKeyUsageClientAuth).verify(state.PeerCertificates)
				if err != nil {
					s.noisy.Warn().Err(err).Str("remote", remote).Msg("connection refused")
				}
				return err
			}
			return c, nil
		},
	}
}

func (s *Source) serverConfig() *tls.Config {
	b := s.held.Load()
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{b.cert},
		ClientAuth:             tls.RequestClientCert, // VerifyConnection verifies
		SessionTicketsDisabled: true,                  // each connection is verified anew
	}
}

// ClientConfig is for the side that dials the node of this name; "" is any node
// of the cluster. If the own certificate cannot be used, that is the error.
func (s *Source) ClientConfig(name string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // by host name; VerifyConnection verifies by identity
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			b := s.held.Load()
			if err := checkTimes(b.self, b.leaf, s.now()); err != nil {
				return nil, fmt.Errorf("this process cannot show its own: %w", err)
			}
			return &b.cert, nil
		},
		VerifyConnection: func(state tls.ConnectionState) error {
			id, err := s.check(x509.ExtKeyUsageServerAuth).verify(state.PeerCertificates)
			if err == nil && name != "" && id.Name != name {
				err = refuse(ErrName, "the certificate is %v's, and node %s was called", id, name)
			}
			return err
		},
	}
}

func (s *Source) check(usage x509.ExtKeyUsage) check {
	b := s.held.Load()
	return check{roots: b.roots, cluster: b.self.Cluster, usage: usage, now: s.now()}
}
