package pki

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// check is what is asked of a certificate.
type check struct {
	roots   *x509.CertPool
	cluster string
	usage   x509.ExtKeyUsage
	now     time.Time
}

// verify says whose certificate the first of chain is, or why it is refused. The
// reasons come in the order in which they are of use: a certificate of another
// cluster is not called badly signed, and one that has expired not forged.
func (c check) verify(chain []*x509.Certificate) (Identity, error) {
	if len(chain) == 0 {
		return Identity{}, ErrNoCertificate
	}
	leaf := chain[0]
	id, err := identityOf(leaf)
	if err != nil {
		return id, err
	}
	if id.Cluster != c.cluster {
		return id, refuse(ErrOtherCluster, "the certificate of %v is cluster %s's, and this is %s", id, id.Cluster, c.cluster)
	}
	if id.Role == authority {
		return id, refuse(ErrRole, "the certificate is the authority's own, which is nobody's to speak with")
	}
	if err := checkTimes(id, leaf, c.now); err != nil {
		return id, err
	}
	between := x509.NewCertPool()
	for _, one := range chain[1:] {
		between.AddCert(one)
	}
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: between, CurrentTime: c.now, KeyUsages: []x509.ExtKeyUsage{c.usage},
	})
	switch {
	case err == nil:
		return id, nil
	case c.usage == x509.ExtKeyUsageServerAuth && id.Role == Client:
		return id, refuse(ErrRole, "the certificate is %v's, and only a node may answer", id)
	}
	return id, refuse(ErrUntrusted, "the certificate of %v was not signed by the authority of cluster %s (%v)", id, c.cluster, err)
}

func checkTimes(id Identity, c *x509.Certificate, now time.Time) error {
	why, what := ErrExpired, "has expired"
	switch {
	case now.Before(c.NotBefore):
		why, what = ErrNotYetValid, "is not valid yet"
	case !now.After(c.NotAfter):
		return nil
	}
	return refuse(why, "the certificate of %v %s, or a clock is wrong: it is valid from %s to %s, and here it is %s",
		id, what, stamp(c.NotBefore), stamp(c.NotAfter), stamp(now))
}

// PeerIdentity is who is at the other end of a connection whose handshake went
// through one of Source's configurations, which have verified it. ErrNoCertificate
// if it showed none.
func PeerIdentity(state tls.ConnectionState) (Identity, error) {
	if len(state.PeerCertificates) == 0 {
		return Identity{}, ErrNoCertificate
	}
	return identityOf(state.PeerCertificates[0])
}
