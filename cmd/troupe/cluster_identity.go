package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// The secrets that gateways share, by their names in the vault.
const (
	tokenKeysSecret   = "token-keys"
	credentialsSecret = "administrator"
)

// nodeIdentity is what a node is known by, and what it may therefore do.
type nodeIdentity struct {
	source *pki.Source
	key    *pki.ClusterKey // nil: a node that only computes

	// After attach; nil without a key.
	authority *pki.Authority
	vault     *pki.Vault
}

// openIdentity reads the certificates of the node called name; with a token it
// joins first, unless it has before. The certificate has to allow roles.
func openIdentity(ctx context.Context, data, name string, roles []string, token string, log zerolog.Logger) (*nodeIdentity, error) {
	files := pki.NodeFiles(data)
	if token != "" {
		if _, err := pki.Join(ctx, pki.JoinConfig{Token: token, Files: files, Name: name, Roles: roles}); err != nil {
			return nil, fmt.Errorf("join: %w", err)
		}
	}
	source, err := pki.Open(files, pki.Options{Log: log})
	if errors.Is(err, messages.NotFound) {
		return nil, fmt.Errorf("--data %s belongs to no cluster: make one (troupe cluster init) or join one (--join TOKEN): %w", data, err)
	}
	if err != nil {
		return nil, err
	}
	self := source.Self()
	if self.Role != pki.Node || self.Name != name {
		return nil, badSetting("--name %s: the certificate in --data %s is that of %v", name, data, self)
	}
	if err := self.May(roles); err != nil {
		return nil, settingError{fmt.Errorf("--roles: %w", err)}
	}
	n := &nodeIdentity{source: source}
	if n.key, err = pki.ReadClusterKey(files); errors.Is(err, messages.NotFound) {
		return n, nil
	}
	return n, err
}

// attach checks that the store is this cluster's and, where the node holds the
// key, opens the authority. A certificate that has expired is renewed if that can
// be done here; else it is the error. Live says whether a member has a name.
func (n *nodeIdentity) attach(ctx context.Context, db store.Store, live func(context.Context, string) (bool, error), log zerolog.Logger) error {
	if err := pki.CheckStore(ctx, db, n.source); err != nil {
		return err
	}
	if n.key == nil {
		return n.source.Valid()
	}
	var err error
	n.authority, err = pki.OpenAuthority(ctx, pki.AuthorityConfig{Store: db, Key: n.key, Live: live, Log: log})
	if err != nil {
		return err
	}
	n.vault = n.authority.Vault()
	if err := n.source.Valid(); err != nil {
		log.Warn().Err(err).Msg("the certificate is renewed by this node itself")
		return n.source.Renew(ctx, n.authority.Renewer(n.source))
	}
	return nil
}

// renewers are who can renew the node's certificate: itself, or the others.
func (n *nodeIdentity) renewers(others pki.Renewer) []pki.Renewer {
	if n.authority != nil {
		return []pki.Renewer{n.authority.Renewer(n.source)}
	}
	return []pki.Renewer{others}
}
