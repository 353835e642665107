package pki

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// Founding is what a new cluster is made of.
type Founding struct {
	Store store.Store
	Files Files    // of the first node
	Name  string   // of the first node
	Roles []string // of the first node; empty: all
	Now   func() time.Time
	Log   zerolog.Logger
}

// Found makes a cluster in a store that is none's yet: its id, its authority, its
// key, and the certificate of its first node. Broken off at any point, the same
// Found goes on where it was. Conflict if the store or the folder is a cluster's.
func Found(ctx context.Context, f Founding) (Identity, error) {
	if f.Now == nil {
		f.Now = time.Now
	}
	if len(f.Roles) == 0 {
		f.Roles = Roles()
	}
	if err := errors.Join(CheckName(f.Name), CheckRoles(f.Roles)); err != nil {
		return Identity{}, err
	}
	if !holdsKey(f.Roles) {
		return Identity{}, fmt.Errorf("the first node has to be able to admit others: it needs the role %s or %s: %w", Gateway, Control, messages.Invalid)
	}
	if err := f.Files.vacant(); err != nil {
		return Identity{}, err
	}
	key, err := f.key()
	if err != nil {
		return Identity{}, err
	}
	if err := f.record(ctx, key); err != nil {
		return Identity{}, err
	}
	return f.firstNode(ctx, key)
}

// vacant refuses a folder that has a certificate.
func (f Files) vacant() error {
	b, err := readBundle(f)
	if err == nil {
		return fmt.Errorf("%s is %v's of cluster %s already: %w", f.Cert, b.self, b.self.Cluster, messages.Conflict)
	}
	if _, e := os.Stat(f.Cert); e == nil {
		return fmt.Errorf("%s is there, but not of use (%w): take it away first: %w", f.Cert, err, messages.Conflict)
	}
	return nil
}

// key is the cluster's: on disk before anything is sealed with it.
func (f Founding) key() (*ClusterKey, error) {
	key, err := ReadClusterKey(f.Files)
	if errors.Is(err, messages.NotFound) {
		key = NewClusterKey()
		return key, key.write(f.Files)
	}
	return key, err
}

// record writes what the store is to hold of the cluster, unless an earlier Found
// with the same key has.
func (f Founding) record(ctx context.Context, key *ClusterKey) error {
	is, err := ReadCluster(ctx, f.Store)
	if err == nil {
		return f.resume(is, key)
	}
	if !errors.Is(err, messages.NotFound) {
		return err
	}
	ca, err := NewCA(uuid.NewString(), f.Now())
	if err != nil {
		return err
	}
	txn, err := foundingTxn(ca, key, f.Now())
	if err != nil {
		return err
	}
	if _, err = f.Store.Commit(ctx, txn); errors.Is(err, store.ErrStale) {
		if is, err = ReadCluster(ctx, f.Store); err == nil {
			return f.resume(is, key)
		}
	}
	if err != nil {
		return fmt.Errorf("write the cluster's record: %w", err)
	}
	return nil
}

// resume lets an earlier Found go on.
func (f Founding) resume(is *messages.ClusterRecord, key *ClusterKey) error {
	if is.KeyId == key.ID() {
		return nil
	}
	return fmt.Errorf("the store holds cluster %s already, made at %s: %w", is.Id, stamp(time.UnixMilli(is.CreatedUnixMs)), messages.Conflict)
}

func foundingTxn(ca *CA, key *ClusterKey, now time.Time) (store.Txn, error) {
	der, err := x509.MarshalECPrivateKey(ca.key)
	if err != nil {
		return store.Txn{}, fmt.Errorf("encode the authority's private key: %w", err)
	}
	record, err := proto.Marshal(&messages.ClusterRecord{Id: ca.Cluster, Authority: ca.Cert.Raw, KeyId: key.ID(), CreatedUnixMs: now.UnixMilli()})
	if err != nil {
		return store.Txn{}, fmt.Errorf("encode the cluster's record: %w", err)
	}
	secret := secretPrefix + authorityName
	return store.Txn{
		Checks: []store.Check{{Key: clusterKeyName}, {Key: secret}},
		Writes: []store.Write{{Key: clusterKeyName, Value: record}, {Key: secret, Value: key.seal(secret, der)}},
	}, nil
}

func (f Founding) firstNode(ctx context.Context, key *ClusterKey) (Identity, error) {
	a, err := OpenAuthority(ctx, AuthorityConfig{Store: f.Store, Key: key, Now: f.Now, Log: f.Log})
	if err != nil {
		return Identity{}, err
	}
	own := newKey()
	issued, err := a.issue(ctx, Identity{Role: Node, Name: f.Name, Roles: f.Roles}, own.Public(), a.cfg.NodeLife)
	if err != nil {
		return Identity{}, err
	}
	b, err := issuedBundle(issued, own)
	if err != nil {
		return Identity{}, err
	}
	return b.self, b.write(f.Files, nil)
}
