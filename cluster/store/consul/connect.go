package consul

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/messages"
)

const (
	// An agent takes 200 connections from one address unless it is told otherwise
	// (limits.http_max_conns_per_client).
	maxConnections = 96
	dialTimeout    = time.Second
	idleTimeout    = 30 * time.Second
	maxResponse    = 16 << 20 // bytes of one answer
	maxErrorText   = 1024
)

var errOversize = errors.New("the answer of Consul is longer than allowed")

// transport bounds connections and answers, and goes on to the next address when
// one does not answer.
type transport struct {
	*http.Transport
	base      string // URL
	token     string
	addresses []string
	preferred atomic.Uint32
}

func connect(c Config) (*transport, *api.Client, error) {
	t := &transport{}
	for _, a := range strings.Split(c.Address, ",") {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return nil, nil, fmt.Errorf("the Consul address %q: %w: HOST:PORT is expected: %w", a, err, messages.Invalid)
		}
		t.addresses = append(t.addresses, a)
	}
	t.Transport = &http.Transport{
		// Consul would spend a tenth of its time on compressing answers.
		DisableCompression: true,
		DialContext:        t.dial, MaxConnsPerHost: maxConnections, MaxIdleConnsPerHost: maxConnections, IdleConnTimeout: idleTimeout,
	}
	config := &api.Config{Address: t.addresses[0], Scheme: "http", Token: c.Token, HttpClient: &http.Client{Transport: t}}
	if c.TLS != (TLS{}) {
		var err error
		config.Scheme = "https"
		if t.TLSClientConfig, err = c.TLS.config(); err != nil {
			return nil, nil, err
		}
	}
	t.base, t.token = config.Scheme+"://"+config.Address, c.Token
	client, err := api.NewClient(config)
	if err != nil {
		return nil, nil, fmt.Errorf("the Consul client: %w: %w", err, messages.Invalid)
	}
	return t, client, nil
}

func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("the CA of Consul: %w: %w", err, messages.Invalid)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the CA of Consul: %s holds no certificate: %w", t.CA, messages.Invalid)
		}
	}
	if t.Cert == "" && t.Key == "" {
		return config, nil
	}
	load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		return &pair, err
	}
	if _, err := load(nil); err != nil {
		return nil, fmt.Errorf("the certificate for Consul: %w: %w", err, messages.Invalid)
	}
	config.GetClientCertificate = load
	return config, nil
}

// dial tries the addresses from the preferred one on.
func (t *transport) dial(ctx context.Context, network, _ string) (conn net.Conn, err error) {
	d := net.Dialer{Timeout: dialTimeout}
	first := t.preferred.Load()
	for i := range uint32(len(t.addresses)) {
		at := (first + i) % uint32(len(t.addresses))
		if conn, err = d.DialContext(ctx, network, t.addresses[at]); err == nil {
			t.preferred.CompareAndSwap(first, at)
			return conn, nil
		}
	}
	return nil, err
}

// move prefers another address for the connections to come.
func (t *transport) move() {
	if len(t.addresses) > 1 {
		t.preferred.Store((t.preferred.Load() + 1) % uint32(len(t.addresses)))
		t.CloseIdleConnections()
	}
}

// RoundTrip is http.RoundTripper's. Consul's client keeps the status of a failed
// transaction to itself; so it is made an error here.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{resp.Body, maxResponse}
	if r.URL.Path != "/v1/txn" || resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusConflict {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorText))
	if err != nil {
		return nil, err
	}
	return nil, api.StatusError{Code: resp.StatusCode, Body: string(text)}
}

type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errOversize
	}
	return n, err
}
