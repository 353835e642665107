package pki

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/durable"
)

// JoinConfig says who wants to join.
type JoinConfig struct {
	Token string // as CreateToken made it
	Files Files
	Name  string           // of the new node
	Roles []string         // empty: all that the token allows
	Now   func() time.Time // nil: time.Now
}

// Join asks the cluster that made the token for a certificate and writes the
// files. It believes only who has a certificate of the authority whose hash is
// in the token. If the folder has been joined to that cluster under that name
// before, it is done already and the token is not asked for.
func Join(ctx context.Context, c JoinConfig) (Identity, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := CheckName(c.Name); err != nil {
		return Identity{}, err
	}
	token, err := ParseToken(c.Token)
	if err != nil {
		return Identity{}, err
	}
	if id, done, err := c.joined(token); done || err != nil {
		return id, err
	}
	key, err := c.pendingKey()
	if err != nil {
		return Identity{}, err
	}
	for pause := joinPause; ; pause *= 2 {
		answer, err := c.askAll(ctx, token, key)
		if err == nil {
			return c.accept(token, answer, key)
		}
		if !errors.Is(err, messages.Unavailable) || pause > maxJoinPause {
			return Identity{}, err
		}
		select {
		case <-ctx.Done():
			return Identity{}, err
		case <-time.After(pause):
		}
	}
}

// Between two rounds over all addresses, where nobody could answer.
const (
	joinPause    = 200 * time.Millisecond
	maxJoinPause = 2 * time.Second
)

// askAll asks at one address after the other until somebody has decided.
func (c JoinConfig) askAll(ctx context.Context, t Token, key *ecdsa.PrivateKey) (*messages.JoinAnswer, error) {
	var all []error
	for _, address := range t.Addresses {
		answer, err := c.ask(ctx, t, address, key)
		if err == nil {
			return answer, nil
		}
		err = fmt.Errorf("%s: %w", address, err)
		if !errors.Is(err, messages.Unavailable) {
			return nil, err // the others would say the same
		}
		all = append(all, err)
	}
	return nil, errors.Join(all...)
}

// joined says whether there is nothing left to do.
func (c JoinConfig) joined(t Token) (Identity, bool, error) {
	b, err := readBundle(c.Files)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Identity{}, false, nil
		}
		return Identity{}, false, fmt.Errorf("there is something already, but not of use: %w", err)
	}
	authorities, err := decodeCerts(b.pem.CA)
	if err != nil {
		return Identity{}, false, err
	}
	if sha256.Sum256(authorities[0].Raw) != t.CAHash || b.self.Name != c.Name {
		return b.self, false, fmt.Errorf("%s is %v's of cluster %s: to join another, or under another name, take that folder away: %w",
			c.Files.Cert, b.self, b.self.Cluster, messages.Conflict)
	}
	if errors.Is(checkTimes(b.self, b.leaf, c.Now()), ErrExpired) {
		return b.self, false, nil // it joins anew
	}
	return b.self, true, b.self.May(c.Roles)
}

// pendingKey is the node's private key. It is on disk before it is shown to
// anybody, so that one who has to ask again asks with the same key.
func (c JoinConfig) pendingKey() (*ecdsa.PrivateKey, error) {
	raw, err := readFile(c.Files.Key, true)
	if err == nil {
		if keys, err := decodeKeys(raw); err == nil && len(keys) > 0 {
			return keys[0], nil
		}
		return nil, fmt.Errorf("%s is there, but not of use: take it away first: %w", c.Files.Key, messages.Conflict)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key := newKey()
	raw, err = encodeKeys(key)
	if err != nil {
		return nil, err
	}
	if err := c.Files.makeDir(); err != nil {
		return nil, err
	}
	return key, durable.Replace(c.Files.Key, raw, secretMode)
}

func (c JoinConfig) ask(ctx context.Context, t Token, address string, key *ecdsa.PrivateKey) (*messages.JoinAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	csr, err := newRequest(key)
	if err != nil {
		return nil, err
	}
	pin := &pinned{hash: t.CAHash, now: c.Now}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(pin.config())), grpc.WithNoProxy())
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	answer := &messages.JoinAnswer{}
	err = conn.Invoke(ctx, methodJoin, &messages.JoinRequest{
		TokenId: t.ID, TokenSecret: t.Secret, Csr: csr, Name: c.Name, Roles: c.Roles, UnixMs: c.Now().UnixMilli(),
	}, answer)
	switch {
	case pin.refused.Load() != nil:
		return nil, *pin.refused.Load()
	case status.Code(err) == codes.Unimplemented:
		return nil, fmt.Errorf("%w: %w", errNoService, messages.Unavailable)
	case err != nil:
		return nil, ourError(err)
	}
	return answer, CheckClock(c.Now(), time.UnixMilli(answer.UnixMs))
}

// accept checks what came and writes the files; the certificate is the last.
func (c JoinConfig) accept(t Token, answer *messages.JoinAnswer, key *ecdsa.PrivateKey) (Identity, error) {
	authorities := answer.GetIssued().GetAuthority()
	if len(authorities) != 1 || sha256.Sum256(authorities[0]) != t.CAHash {
		return Identity{}, refuse(ErrUntrusted, "the answer has another authority than the token")
	}
	b, err := issuedBundle(answer.Issued, key)
	if err != nil {
		return Identity{}, err
	}
	if b.self.Role != Node || b.self.Name != c.Name {
		return Identity{}, refuse(ErrName, "asked for a certificate of node %s, got one of %v", c.Name, b.self)
	}
	if len(answer.ClusterKey) > 0 {
		k, err := clusterKey(answer.ClusterKey)
		if err != nil {
			return Identity{}, err
		}
		if err := k.write(c.Files); err != nil {
			return Identity{}, err
		}
	}
	return b.self, b.write(c.Files, nil)
}

// pinned is what a node knows of a cluster before it has joined.
type pinned struct {
	hash    [sha256.Size]byte
	now     func() time.Time
	refused atomic.Pointer[error] // what gRPC would make mere text of
}

func (p *pinned) config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // VerifyConnection verifies
		VerifyConnection: func(state tls.ConnectionState) error {
			err := p.verify(state.PeerCertificates)
			if err != nil {
				p.refused.Store(&err)
			}
			return err
		},
	}
}

// verify wants a node's certificate, and with it the authority of the token.
func (p *pinned) verify(chain []*x509.Certificate) error {
	for _, ca := range chain {
		hash := sha256.Sum256(ca.Raw)
		if !bytes.Equal(hash[:], p.hash[:]) {
			continue
		}
		id, err := identityOf(ca)
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		roots.AddCert(ca)
		_, err = check{roots: roots, cluster: id.Cluster, usage: x509.ExtKeyUsageServerAuth, now: p.now()}.verify(chain)
		return err
	}
	return refuse(ErrOtherCluster, "who answers there is not of the cluster that made this token")
}
