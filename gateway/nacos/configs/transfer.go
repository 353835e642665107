package configs

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// policy is what an import or a clone does with keys that there are already.
type policy int

const (
	abort     policy = iota // write nothing
	skip                    // leave those as they are
	overwrite               // replace them
)

func parsePolicy(s string) (policy, error) {
	switch strings.ToUpper(strings.TrimSpace(s)) {
	case "", "ABORT":
		return abort, nil
	case "SKIP":
		return skip, nil
	case "OVERWRITE":
		return overwrite, nil
	}
	return abort, api.ParameterInvalid.Errorf("Param 'policy' is '%s', which is none of ABORT, SKIP and OVERWRITE", api.Short(s))
}

// item is one config on its way into a namespace. Its content is fetched when it
// is written, so that not all of them are in memory.
type item struct {
	group, dataID string
	labels        *messages.ConfigLabels
	dataKey       string
	content       func() (string, error)
}

func (i item) key() wire.TransferKey { return wire.TransferKey{DataID: i.dataID, Group: i.group} }

// transfer writes items into a namespace. All have been checked before, so that
// what cannot be written is found before anything is.
func (a *API) transfer(r *api.Request, into string, items []item, p policy, reason string) (wire.Transfer, error) {
	var t wire.Transfer
	if p == abort {
		taken, err := a.taken(r.Context(), into, items)
		if err != nil || len(taken) > 0 {
			return refuse(items, taken), err
		}
	}
	outcomes := make([]error, len(items))
	g, ctx := errgroup.WithContext(r.Context())
	g.SetLimit(readsAtOnce)
	for i, it := range items {
		g.Go(func() error {
			err := a.write(ctx, r, into, it, p, reason)
			if !errors.Is(err, messages.Conflict) {
				return err
			}
			outcomes[i] = err
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return t, err
	}
	for i, it := range items {
		switch {
		case outcomes[i] == nil:
			t.Succeeded++
		case p == skip:
			t.Skips = append(t.Skips, it.key())
		default: // somebody has made it since it was looked for
			t.Failures = append(t.Failures, it.key())
		}
	}
	t.Skipped = len(t.Skips)
	return t, nil
}

// taken says which of the items there are in the namespace already.
func (a *API) taken(ctx context.Context, into string, items []item) (map[wire.TransferKey]bool, error) {
	taken := map[wire.TransferKey]bool{}
	for _, it := range items {
		e, err := a.entry(ctx, &found{key: api.Key{Namespace: into, Group: it.group, Name: it.dataID}})
		if err != nil {
			return nil, err
		}
		if e != nil {
			taken[it.key()] = true
		}
	}
	return taken, nil
}

// refuse says that nothing was written, and because of what.
func refuse(items []item, taken map[wire.TransferKey]bool) (t wire.Transfer) {
	for _, it := range items {
		if key := it.key(); taken[key] {
			t.Failures = append(t.Failures, key)
		} else {
			t.Skips = append(t.Skips, key)
		}
	}
	t.Skipped = len(t.Skips)
	return t
}

// write publishes one item; but to overwrite, only where there is nothing.
func (a *API) write(ctx context.Context, r *api.Request, into string, it item, p policy, reason string) error {
	content, err := it.content()
	if err != nil {
		return err
	}
	m := &messages.PublishConfig{
		Content: content, Labels: it.labels, EncryptedDataKey: it.dataKey, User: author(r), Ip: r.ClientIP, Operation: reason,
	}
	if p != overwrite {
		m.CasMd5 = new(string)
	}
	_, err = cluster.Ask[*messages.ConfigPublished](ctx, a.cloud, config.Ref(into, it.group, it.dataID), m)
	a.names.Hint(registry.ConfigKind, into)
	return err
}

// into is the namespace that a transfer goes to. It has to be there, and the user
// has to be allowed to write all over it.
func (a *API) into(r *api.Request, asked string) (string, error) {
	into := api.Namespace(asked)
	if err := api.CheckNamespace(into); err != nil {
		return "", err
	}
	if !r.User.May(api.Write, api.Resource{Namespace: into, Type: api.Config}) {
		return "", errForbidden
	}
	if into == api.PublicNamespace {
		return into, nil
	}
	_, err := cluster.Ask[*messages.Namespace](r.Context(), a.cloud, namespace.Ref(into), &messages.GetNamespace{})
	if errors.Is(err, messages.NotFound) {
		return "", errNoNamespace
	}
	return into, err
}
