package pki

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// Where the cluster's own things stand in the store.
const (
	clusterKeyName = "cluster/id"
	authorityName  = "ca" // of the vault's secret
)

// AuthorityConfig is what an Authority needs. Store and Key must be set.
type AuthorityConfig struct {
	Store store.Store // outlives the authority
	Key   *ClusterKey
	// Live says whether a live member has this name. Nil: nobody does.
	Live     func(ctx context.Context, name string) (bool, error)
	NodeLife time.Duration    // of certificates; 0: DefaultNodeLife
	Now      func() time.Time // nil: time.Now
	Log      zerolog.Logger
}

// Authority signs certificates and admits nodes. Every node that holds the
// cluster's key can be one; what they share stands in the store. The private key
// is taken out of the vault for each signature and not kept.
type Authority struct {
	cfg     AuthorityConfig
	vault   *Vault
	cluster *messages.ClusterRecord
	cert    *x509.Certificate
}

// ReadCluster says whose store s is. NotFound if it is no cluster's yet.
func ReadCluster(ctx context.Context, s store.Store) (*messages.ClusterRecord, error) {
	item, err := s.Get(ctx, clusterKeyName)
	if errors.Is(err, messages.NotFound) {
		return nil, fmt.Errorf("this store is no cluster's yet; make one with: troupe cluster init: %w", messages.NotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", clusterKeyName, err)
	}
	r := &messages.ClusterRecord{}
	if err := proto.Unmarshal(item.Value, r); err != nil || !clusterForm.MatchString(r.Id) {
		return nil, fmt.Errorf("what stands in the store under %s is no record of a cluster: %w", clusterKeyName, messages.Invalid)
	}
	return r, nil
}

// CheckStore refuses a store that is not of the cluster that the certificate is of.
func CheckStore(ctx context.Context, st store.Store, s *Source) error {
	record, err := ReadCluster(ctx, st)
	if err == nil && record.Id != s.Cluster() {
		err = refuse(ErrOtherCluster, "the store is cluster %s's, and the certificate of %v is %s's", record.Id, s.Self(), s.Cluster())
	}
	return err
}

// OpenAuthority checks that the key and the store are of one cluster.
func OpenAuthority(ctx context.Context, cfg AuthorityConfig) (*Authority, error) {
	if cfg.Store == nil || cfg.Key == nil {
		return nil, fmt.Errorf("an authority needs a store and the cluster's key: %w", messages.Invalid)
	}
	if cfg.NodeLife == 0 {
		cfg.NodeLife = DefaultNodeLife
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	record, err := ReadCluster(ctx, cfg.Store)
	if err != nil {
		return nil, err
	}
	if record.KeyId != cfg.Key.ID() {
		return nil, fmt.Errorf("the store is cluster %s's, whose key is %s; this node has %s: %w", record.Id, record.KeyId, cfg.Key.ID(), ErrOtherKey)
	}
	a := &Authority{cfg: cfg, vault: NewVault(cfg.Store, cfg.Key), cluster: record}
	if a.cert, err = x509.ParseCertificate(record.Authority); err != nil {
		return nil, fmt.Errorf("what stands in the store under %s has no certificate: %w", clusterKeyName, messages.Invalid)
	}
	return a, nil
}

// Cluster is the id of the cluster.
func (a *Authority) Cluster() string { return a.cluster.Id }

// Vault is where the cluster's secrets are.
func (a *Authority) Vault() *Vault { return a.vault }

// ca takes the private key out of the vault.
func (a *Authority) ca(ctx context.Context) (*CA, error) {
	der, _, err := a.vault.Open(ctx, authorityName)
	if err != nil {
		return nil, fmt.Errorf("the authority's private key: %w", err)
	}
	key, err := x509.ParseECPrivateKey(der)
	if err != nil || !key.PublicKey.Equal(a.cert.PublicKey) {
		return nil, fmt.Errorf("the authority's private key in the store is damaged or another's: %w", messages.Invalid)
	}
	return &CA{Cluster: a.cluster.Id, Cert: a.cert, key: key}, nil
}

func (a *Authority) issue(ctx context.Context, id Identity, public crypto.PublicKey, life time.Duration) (*messages.IssuedCertificate, error) {
	ca, err := a.ca(ctx)
	if err != nil {
		return nil, err
	}
	der, err := ca.Issue(id, public, a.cfg.Now(), life)
	if err != nil {
		return nil, err
	}
	a.cfg.Log.Info().Str("role", id.Role).Str("name", id.Name).Strs("roles", id.Roles).Str("project", id.Project).Bool("reader", id.Reader).Dur("life", life).Msg("certificate issued")
	return &messages.IssuedCertificate{Certificate: der, Authority: [][]byte{a.cert.Raw}, ClusterId: a.cluster.Id}, nil
}

// Renew gives a node whose certificate was verified another one, for the key of
// csr.
func (a *Authority) Renew(ctx context.Context, id Identity, csr []byte) (*messages.IssuedCertificate, error) {
	if id.Role != Node {
		return nil, refuse(ErrRole, "%v cannot renew its certificate; it gets a new one by: troupe cluster cert client", id)
	}
	public, err := parseRequest(csr)
	if err != nil {
		return nil, err
	}
	return a.issue(ctx, id, public, a.cfg.NodeLife)
}

// Renewer is a for the Source of the node that it runs on: such a node can renew
// its certificate even after that has expired.
func (a *Authority) Renewer(s *Source) Renewer {
	return func(ctx context.Context, csr []byte) (*messages.IssuedCertificate, error) {
		if own := s.Cluster(); own != a.cluster.Id {
			return nil, refuse(ErrOtherCluster, "the certificate of %v is cluster %s's, and the store is %s's", s.Self(), own, a.cluster.Id)
		}
		return a.Renew(ctx, s.Self(), csr)
	}
}

// IssueClient makes a certificate for a client, who has a Name and may be confined
// to a Project and to looking, writes it to f and says until when it is valid.
func (a *Authority) IssueClient(ctx context.Context, who Identity, life time.Duration, f Files) (time.Time, error) {
	if life > MaxClientLife {
		return time.Time{}, fmt.Errorf("a client's certificate for %v; the limit is %v: %w", life, MaxClientLife, messages.Invalid)
	}
	if err := CheckProject(who.Project); err != nil {
		return time.Time{}, err
	}
	key := newKey()
	who = Identity{Role: Client, Name: who.Name, Project: who.Project, Reader: who.Reader}
	issued, err := a.issue(ctx, who, key.Public(), life)
	if err != nil {
		return time.Time{}, err
	}
	b, err := issuedBundle(issued, key)
	if err != nil {
		return time.Time{}, err
	}
	return b.leaf.NotAfter, b.write(f, nil)
}

// issuedBundle is a new certificate with its key.
func issuedBundle(issued *messages.IssuedCertificate, key *ecdsa.PrivateKey) (*bundle, error) {
	keys, err := encodeKeys(key)
	if err != nil {
		return nil, err
	}
	b, err := newBundle(PEM{CA: encodeCerts(issued.GetAuthority()...), Cert: encodeCerts(issued.GetCertificate()), Key: keys})
	if err != nil {
		return nil, fmt.Errorf("the issued certificate: %w", err)
	}
	return b, nil
}
