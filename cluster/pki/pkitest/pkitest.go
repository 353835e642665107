// Package pkitest makes certificates for tests of what uses package pki: real
// ones, of an authority in memory. It is not for anything else.
package pkitest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/messages"
)

// Cluster is an authority in memory.
type Cluster struct {
	ID  string
	CA  *pki.CA
	Now func() time.Time // when certificates are made and judged
}

// age is how old the authority is, so that there can be certificates of the past.
const age = 2 * 365 * 24 * time.Hour

// New makes the authority of a cluster. Its clock is the real one.
func New(t testing.TB) *Cluster {
	t.Helper()
	id := uuid.NewString()
	ca, err := pki.NewCA(id, time.Now().Add(-age))
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{ID: id, CA: ca, Now: time.Now}
}

// Node is the source of a node with all roles.
func (c *Cluster) Node(t testing.TB, name string) *pki.Source {
	t.Helper()
	return c.Source(t, pki.Identity{Role: pki.Node, Name: name, Roles: pki.Roles()}, pki.DefaultNodeLife)
}

// Client is the source of a client.
func (c *Cluster) Client(t testing.TB, name string) *pki.Source {
	t.Helper()
	return c.Source(t, pki.Identity{Role: pki.Client, Name: name}, pki.DefaultClientLife)
}

// Source is the source of id, with a certificate for life.
func (c *Cluster) Source(t testing.TB, id pki.Identity, life time.Duration) *pki.Source {
	t.Helper()
	s, err := pki.NewSource(c.PEM(t, id, life), pki.Options{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Renewer signs for id.
func (c *Cluster) Renewer(id pki.Identity) pki.Renewer {
	return func(_ context.Context, csr []byte) (*messages.IssuedCertificate, error) {
		r, err := x509.ParseCertificateRequest(csr)
		if err != nil {
			return nil, err
		}
		der, err := c.CA.Issue(id, r.PublicKey, c.Now(), pki.DefaultNodeLife)
		return &messages.IssuedCertificate{Certificate: der, Authority: [][]byte{c.CA.Cert.Raw}, ClusterId: c.ID}, err
	}
}

// PEM is a new certificate and key of id, with the authority.
func (c *Cluster) PEM(t testing.TB, id pki.Identity, life time.Duration) pki.PEM {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := c.CA.Issue(id, key.Public(), c.Now(), life)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return pki.PEM{CA: block("CERTIFICATE", c.CA.Cert.Raw), Cert: block("CERTIFICATE", cert), Key: block("EC PRIVATE KEY", raw)}
}
