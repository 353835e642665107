package bench

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/view"
)

const (
	guestAddress = "127.0.0.1:0"
	guestTimeout = time.Minute // to become a member, or to leave
)

// guest is a member of a cluster that lives in this process: all that
// `troupe node` has but gateways and images.
type guest struct {
	*cluster.Connection
	node  *cluster.Node
	db    *consul.Store
	table *membership.Consul
}

// join makes this process a member, by the name in the certificate.
func join(ctx context.Context, c consul.Config, source *pki.Source, roles view.Role, kinds ...actors.Kind) (g *guest, err error) {
	ctx, cancel := context.WithTimeout(ctx, guestTimeout)
	defer cancel()
	g = &guest{}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.leave(context.WithoutCancel(ctx)))
		}
	}()
	name := source.Self().Name
	c.Writer = name
	if g.db, err = consul.Open(ctx, c); err != nil {
		return g, err
	}
	if g.table, err = membership.NewConsul(membership.ConsulConfig{Config: c, Log: zerolog.Nop()}); err != nil {
		return g, err
	}
	g.Connection, err = cluster.Connect(ctx,
		peer.Config{Cluster: source.Cluster(), Bind: guestAddress, TLS: source, Log: zerolog.Nop()},
		membership.Config{Table: g.table, Log: zerolog.Nop(), Self: view.Member{Name: name, Roles: roles}})
	if err != nil {
		return g, err
	}
	g.db.SetFence(g.Fence)
	g.node, err = cluster.Start(ctx, cluster.Config{Name: name, Store: g.db, Kinds: kinds, Log: zerolog.Nop(), Network: g.Connection})
	return g, err
}

// leave ends the membership, and all that was opened for it.
func (g *guest) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, guestTimeout)
	defer cancel()
	var all []error
	if g.node != nil {
		all = append(all, g.node.Stop(ctx))
	}
	if g.Connection != nil {
		all = append(all, g.Connection.Close(ctx))
	}
	if g.table != nil {
		g.table.Close()
	}
	if g.db != nil {
		all = append(all, g.db.Close())
	}
	return errors.Join(all...)
}

// settled reports whether the view of every one of them is the same, has them all,
// and is stable.
func settled(all []*guest) bool {
	for _, g := range all {
		v := g.View()
		stable, _ := g.Stable()
		if v == nil || len(v.Members) != len(all) || v.Index != stable || v.Index != all[0].View().Index {
			return false
		}
	}
	return true
}
