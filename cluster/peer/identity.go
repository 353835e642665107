package peer

import (
	"context"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/troupe-cloud/troupe/cluster/pki"
)

// IdentityOf is who made a call of another service on the same port. It is false
// without a certificate (plain text on loopback, or service troupe.Join).
func IdentityOf(ctx context.Context) (Identity, bool) {
	who, err := presented(ctx)
	return Identity{Role: who.Role, Name: who.Name, Project: who.Project, Reader: who.Reader}, err == nil && who.Name != ""
}

// presented reads the certificate at the other end, which the TLS handshake has
// verified. Without TLS or a certificate it is the zero value.
func presented(ctx context.Context) (pki.Identity, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return pki.Identity{}, nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return pki.Identity{}, nil
	}
	return pki.PeerIdentity(info.State)
}
