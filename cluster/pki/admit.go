package pki

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// Admit gives a new node what it needs to be one, if its token allows it. Nothing
// of the token is used up by a request that is refused.
func (a *Authority) Admit(ctx context.Context, r *messages.JoinRequest) (*messages.JoinAnswer, error) {
	if err := CheckName(r.Name); err != nil {
		return nil, err
	}
	if len(r.Roles) > 0 {
		if err := CheckRoles(r.Roles); err != nil {
			return nil, err
		}
	}
	if err := CheckClock(a.cfg.Now(), time.UnixMilli(r.UnixMs)); err != nil {
		return nil, err
	}
	public, err := parseRequest(r.Csr)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encode a public key: %w", err)
	}
	hash := sha256.Sum256(der)
	who := &messages.Admitted{Name: r.Name, KeyHash: hash[:], UnixMs: a.cfg.Now().UnixMilli()}
	if err := a.mayJoin(ctx, r, who); err != nil {
		return nil, err
	}
	roles, err := a.useToken(ctx, r, who)
	if err != nil {
		return nil, err
	}
	issued, err := a.issue(ctx, Identity{Role: Node, Name: r.Name, Roles: roles}, public, a.cfg.NodeLife)
	if err != nil {
		return nil, err
	}
	a.cfg.Log.Info().Str("name", r.Name).Strs("roles", roles).Str("token", r.TokenId).Msg("node admitted")
	answer := &messages.JoinAnswer{Issued: issued, UnixMs: a.cfg.Now().UnixMilli()}
	if holdsKey(roles) {
		answer.ClusterKey = a.cfg.Key.secret
	}
	return answer, nil
}

// mayJoin asks everything that can be asked without using up the token. Only who
// has a token is told which names are taken.
func (a *Authority) mayJoin(ctx context.Context, r *messages.JoinRequest, who *messages.Admitted) error {
	t, _, err := a.findToken(ctx, r.TokenId, r.TokenSecret)
	if err != nil {
		return err
	}
	if _, err := allows(t, who, r.Roles, a.cfg.Now()); err != nil {
		return err
	}
	if a.cfg.Live == nil {
		return nil
	}
	live, err := a.cfg.Live(ctx, r.Name)
	if err != nil {
		return fmt.Errorf("look whether a member has the name %s: %w", r.Name, err)
	}
	if live {
		return fmt.Errorf("a live member of cluster %s is called %s: choose another name, or stop that node first: %w", a.cluster.Id, r.Name, messages.Conflict)
	}
	return nil
}
