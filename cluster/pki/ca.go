package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// CA is the authority of one cluster: whoever holds it can be anybody in it.
type CA struct {
	Cluster string
	Cert    *x509.Certificate
	key     *ecdsa.PrivateKey
}

// NewCA makes the authority of a new cluster.
func NewCA(cluster string, now time.Time) (*CA, error) {
	if !clusterForm.MatchString(cluster) {
		return nil, fmt.Errorf("%.80q is no id of a cluster: %w", cluster, messages.Invalid)
	}
	key := newKey()
	id := Identity{Cluster: cluster, Role: authority}
	c := &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{CommonName: "Troupe cluster " + cluster},
		URIs:      []*url.URL{{Scheme: scheme, Host: id.Cluster, Path: "/" + authority}},
		NotBefore: now.Add(-backdateAuthority), NotAfter: now.Add(AuthorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	return &CA{Cluster: cluster, Cert: cert, key: key}, nil
}

// Issue makes a certificate for whoever holds the private key of public. It is
// in DER. The authority's end bounds its life.
func (ca *CA) Issue(id Identity, public crypto.PublicKey, now time.Time, life time.Duration) ([]byte, error) {
	if err := CheckName(id.Name); err != nil {
		return nil, err
	}
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	switch id.Role {
	case Node:
		if err := CheckRoles(id.Roles); err != nil {
			return nil, err
		}
		usage = append(usage, x509.ExtKeyUsageServerAuth)
	case Client:
	default:
		return nil, fmt.Errorf("a certificate for the role %.40q: %w", id.Role, messages.Invalid)
	}
	if life < minLife {
		return nil, fmt.Errorf("a certificate for %v; the least is %v: %w", life, minLife, messages.Invalid)
	}
	id.Cluster = ca.Cluster
	c := &x509.Certificate{
		SerialNumber: newSerial(), URIs: []*url.URL{id.url()},
		Subject:   pkix.Name{CommonName: id.Name, OrganizationalUnit: id.Roles},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(life),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usage,
	}
	if c.NotAfter.After(ca.Cert.NotAfter) {
		c.NotAfter = ca.Cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca.Cert, public, ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %v: %w", id, err)
	}
	return der, nil
}

// newKey makes a private key; the system's randomness never fails.
func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("no randomness: %v", err))
	}
	return key
}

func newSerial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[0] &= 0x7f        // RFC 5280: positive
	b[15] |= 1          // and not zero
	return new(big.Int).SetBytes(b)
}

// newRequest is the certificate signing request for key: nothing but the key in
// it counts, for the authority knows who asks.
func newRequest(key *ecdsa.PrivateKey) ([]byte, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, fmt.Errorf("make a signing request: %w", err)
	}
	return csr, nil
}

// maxRequestBytes is far more than a request with a P-256 key has.
const maxRequestBytes = 4 << 10

// parseRequest is the public key of a request whose sender has the private one.
func parseRequest(csr []byte) (*ecdsa.PublicKey, error) {
	if len(csr) > maxRequestBytes {
		return nil, fmt.Errorf("a signing request of %d bytes; the limit is %d: %w", len(csr), maxRequestBytes, messages.Invalid)
	}
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("the signing request cannot be read: %w", messages.Invalid)
	}
	public, ok := r.PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, fmt.Errorf("the signing request has no P-256 key: %w", messages.Invalid)
	}
	if err := r.CheckSignature(); err != nil {
		return nil, fmt.Errorf("the signing request was not made with its own key: %w", messages.Invalid)
	}
	return public, nil
}
