package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/durable"
)

// PEM is what the files hold.
type PEM struct{ CA, Cert, Key []byte }

func (p PEM) equal(o PEM) bool {
	return bytes.Equal(p.CA, o.CA) && bytes.Equal(p.Cert, o.Cert) && bytes.Equal(p.Key, o.Key)
}

// bundle is all that a process is known by and knows others by. It never changes.
type bundle struct {
	pem   PEM
	self  Identity
	leaf  *x509.Certificate
	cert  tls.Certificate
	roots *x509.CertPool
}

// newBundle reads p. That the certificate has expired is not asked here.
func newBundle(p PEM) (*bundle, error) {
	authorities, err := decodeCerts(p.CA)
	if err != nil {
		return nil, fmt.Errorf("the authority's certificate: %w", err)
	}
	certs, err := decodeCerts(p.Cert)
	if err != nil {
		return nil, fmt.Errorf("the certificate: %w", err)
	}
	keys, err := decodeKeys(p.Key)
	if err != nil {
		return nil, fmt.Errorf("the private key: %w", err)
	}
	b := &bundle{pem: p, leaf: certs[0], roots: x509.NewCertPool()}
	key := keyOf(b.leaf, keys)
	if key == nil {
		return nil, fmt.Errorf("the private key is not the certificate's: %w", messages.Invalid)
	}
	for _, a := range authorities {
		b.roots.AddCert(a)
	}
	if b.self, err = identityOf(b.leaf); err != nil {
		return nil, err
	}
	usage := x509.ExtKeyUsageClientAuth
	now := b.leaf.NotBefore.Add(b.leaf.NotAfter.Sub(b.leaf.NotBefore) / 2)
	if _, err := (check{b.roots, b.self.Cluster, usage, now}).verify(certs); err != nil {
		return nil, err
	}
	// The authority goes along, so that one who joins can pin it by its hash.
	b.cert = tls.Certificate{Certificate: [][]byte{b.leaf.Raw, authorities[0].Raw}, PrivateKey: key, Leaf: b.leaf}
	return b, nil
}

// keyOf is the key that belongs to c. While a certificate is being replaced the
// file holds the old key and the new one.
func keyOf(c *x509.Certificate, keys []*ecdsa.PrivateKey) *ecdsa.PrivateKey {
	for _, k := range keys {
		if k.PublicKey.Equal(c.PublicKey) {
			return k
		}
	}
	return nil
}

func readBundle(f Files) (*bundle, error) {
	var p PEM
	for _, one := range []struct {
		to     *[]byte
		path   string
		secret bool
	}{{&p.CA, f.CA, false}, {&p.Cert, f.Cert, false}, {&p.Key, f.Key, true}} {
		raw, err := readFile(one.path, one.secret)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is missing: %w: %w", one.path, messages.NotFound, err)
		}
		if err != nil {
			return nil, err
		}
		*one.to = raw
	}
	b, err := newBundle(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Cert, err)
	}
	return b, nil
}

// write puts b where a later start finds it. The key file holds both keys until
// the certificate stands, so that a crash at any moment leaves a pair.
func (b *bundle) write(f Files, before *bundle) error {
	keys := b.pem.Key
	if before != nil {
		keys = append(bytes.Clone(before.pem.Key), b.pem.Key...)
	}
	if err := f.makeDir(); err != nil {
		return err
	}
	if err := durable.Replace(f.Key, keys, secretMode); err != nil {
		return err
	}
	if before == nil {
		if err := durable.Replace(f.CA, b.pem.CA, publicMode); err != nil {
			return err
		}
	}
	if err := durable.Replace(f.Cert, b.pem.Cert, publicMode); err != nil {
		return err
	}
	if before == nil {
		return nil
	}
	return durable.Replace(f.Key, b.pem.Key, secretMode)
}

// renewAt is when two thirds of the certificate's life are over.
func (b *bundle) renewAt() time.Time {
	return b.leaf.NotBefore.Add(b.leaf.NotAfter.Sub(b.leaf.NotBefore) * 2 / 3)
}
