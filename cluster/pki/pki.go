// Package pki owns who may speak to the cluster and what keeps its secrets: the
// certificate authority, the certificates of nodes and clients and their renewal,
// the tokens that admit new nodes, and the key that seals secrets in the store.
// It knows nothing of members, views or actors: who is alive and who owns what
// is said elsewhere. It never writes a private key or a secret to a log.
//
// A certificate says who one is by a URI in it (RFC 5280, subjectAltName), as
// SPIFFE does: troupe://<cluster>/node/<name> or troupe://<cluster>/client/<name>,
// the latter with ?project=<id>, ?role=reader or both if it is confined to those.
// Names of hosts and addresses play no part.
package pki

import (
	"errors"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// Lifetimes of certificates. A node renews its own after two thirds of its life.
const (
	AuthorityLife     = 10 * 365 * 24 * time.Hour
	DefaultNodeLife   = 30 * 24 * time.Hour
	DefaultClientLife = 90 * 24 * time.Hour
	MaxClientLife     = 366 * 24 * time.Hour
	minLife           = time.Minute

	// backdate is by how much a certificate is valid before it was made: clocks
	// that differ by less than MaxClockSkew must not refuse it.
	backdate          = 2 * MaxClockSkew
	backdateAuthority = time.Hour
)

// Why a certificate is refused. All wrap messages.Denied, and each is said with
// a sentence of its own about the certificate at hand.
var (
	ErrNoCertificate = fmt.Errorf("no certificate was shown: %w", messages.Denied)
	ErrExpired       = fmt.Errorf("the certificate has expired: %w", messages.Denied)
	ErrNotYetValid   = fmt.Errorf("the certificate is not valid yet: %w", messages.Denied)
	ErrOtherCluster  = fmt.Errorf("the certificate is another cluster's: %w", messages.Denied)
	ErrUntrusted     = fmt.Errorf("the certificate was not signed by this cluster's authority: %w", messages.Denied)
	ErrRole          = fmt.Errorf("the certificate is for another role: %w", messages.Denied)
	ErrName          = fmt.Errorf("the certificate has another name: %w", messages.Denied)
)

// refusal is a sentence about one certificate that is also one of the errors above.
type refusal struct {
	why      error
	sentence string
}

func refuse(why error, format string, args ...any) error {
	return &refusal{why, fmt.Sprintf(format, args...)}
}

func (r *refusal) Error() string { return r.sentence + ": " + messages.Denied.Error() }
func (r *refusal) Unwrap() error { return r.why }

// Refused says whether err means that a certificate was refused, here or by the
// local check of one's own.
func Refused(err error) bool {
	for _, why := range []error{ErrNoCertificate, ErrExpired, ErrNotYetValid, ErrOtherCluster, ErrUntrusted, ErrRole, ErrName} {
		if errors.Is(err, why) {
			return true
		}
	}
	return false
}
