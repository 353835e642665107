package eureka

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// register answers POST /apps/{app}.
func (a *API) register(x *request) (reply, error) {
	name := x.appName()
	if err := a.mayWrite(x, name); err != nil {
		return reply{}, err
	}
	read := readXML
	if strings.Contains(strings.ToLower(x.Header.Get("Content-Type")), "json") {
		read = readJSON
	}
	n, err := read(x.body, "instance", maxNodes)
	if err != nil {
		return reply{}, fail(http.StatusBadRequest, "the body is no instance: "+err.Error())
	}
	revision, err := a.enlist(x.Context(), name, n.instance(), x.peer)
	if err != nil {
		return reply{}, err
	}
	a.shown(x.Context(), map[string]int64{name: revision})
	return reply{status: http.StatusNoContent}, nil
}

// enlist registers an instance, and says with which revision of its service; 0 if what
// is known stays.
func (a *API) enlist(ctx context.Context, name string, i *instance, peer bool) (revision int64, err error) {
	if text := i.lacking(name); text != "" {
		return 0, fail(http.StatusBadRequest, text)
	}
	if err := a.view.ready(ctx); err != nil && !errors.Is(err, messages.Unavailable) {
		return 0, err // if it cannot be whole just now, registering goes on: what is known is used
	}
	was := a.view.find(name, i.ID)
	if was != nil && !was.ours() {
		was = nil
	}
	if i.Dirty == 0 { // as with an instance that was made just now
		i.Dirty = a.cfg.Now().UnixMilli()
	}
	if was != nil && was.Dirty > i.Dirty {
		// What is known is newer: it stays, and lives.
		if known, err := a.beat(ctx, was); known || err != nil {
			return 0, err
		}
	}
	i.settle()
	if was != nil {
		if override := was.overridden(a.cfg.Now()); override != "" {
			i.Override = override
		} else if !peer {
			i.Status = kept(i.Status, was.Status)
		}
	}
	e, err := i.endpoint(a.cluster(name, i, was), a.cfg.SelfPreservation)
	if err != nil {
		return 0, err
	}
	if revision, err = a.put(ctx, name, e); err != nil || was == nil {
		return revision, err
	}
	if placeOf(e) != placeOf(was.e) || was.source != name { // it has moved
		_, err = a.cfg.Cloud.Ask(ctx, a.ref(was.source), &messages.DeregisterEndpoints{
			Endpoints: []*messages.EndpointKey{was.key()}, EphemeralOnly: true,
		})
	}
	return revision, err
}

// shown waits until this node shows services as they were at these revisions, or later:
// for all of them no longer than for one.
func (a *API) shown(ctx context.Context, revisions map[string]int64) {
	a.view.await(ctx, func() bool {
		for name, revision := range revisions {
			if !a.view.seen(name, revision) {
				return false
			}
		}
		return true
	})
}

// cluster is where an instance is put: where it is; or the default one; or, if
// another instance has the same address there, as machines behind one address have,
// one of its own.
func (a *API) cluster(name string, i *instance, was *entry) string {
	if was != nil && was.source == name && was.e.Ip == i.IP && was.e.Port == i.address() {
		return was.e.Cluster
	}
	at := a.view.at(name, place{i.IP, i.address(), service.DefaultCluster})
	if at != nil && at.ours() && at.ID != i.ID {
		return sideCluster(i.ID)
	}
	return service.DefaultCluster
}

// put registers an endpoint, and says with which revision of the service.
func (a *API) put(ctx context.Context, name string, e *messages.Endpoint) (revision int64, err error) {
	if err := service.CheckName(name); err != nil {
		return 0, err
	}
	if err := service.CheckEndpoint(e); err != nil {
		return 0, err
	}
	got, err := cluster.Ask[*messages.EndpointsRegistered](ctx, a.cfg.Cloud, a.ref(name), &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{e}})
	if err != nil {
		return 0, err
	}
	a.cfg.Names.Hint(registry.ServiceKind, a.cfg.Namespace)
	a.view.ensure(name)
	return got.GetRevision(), nil
}

// renew answers PUT /apps/{app}/{id}. Who is told that the lease is unknown registers
// again; that costs a look at the view.
func (a *API) renew(x *request) (reply, error) {
	name, id := x.appName(), x.PathValue("id")
	if err := a.mayWrite(x, name); err != nil {
		return reply{}, err
	}
	q := x.URL.Query()
	status, e, err := a.heartbeat(x.Context(), name, id, number(q.Get("lastDirtyTimestamp")), q.Get("overriddenstatus"), x.peer)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: status}
	if status == http.StatusConflict {
		r.body = e.one(x.json, x.compact)
	}
	return r, nil
}

// heartbeat renews a lease. 409, only to peers: what is known here is newer.
func (a *API) heartbeat(ctx context.Context, name, id string, dirty int64, override string, peer bool) (int, *entry, error) {
	if err := a.view.ready(ctx); err != nil {
		return 0, nil, err
	}
	e := a.view.find(name, id)
	if e == nil || !e.ours() || e.Status == unknown {
		return 0, nil, errUnknownLease
	}
	known, err := a.beat(ctx, e)
	switch {
	case err != nil:
		return 0, nil, err
	case !known || dirty > e.Dirty:
		return 0, nil, errUnknownLease
	case dirty != 0 && dirty < e.Dirty && peer:
		return http.StatusConflict, e, nil
	}
	if peer && e.e.StatusOverride == "" && slices.Contains(statuses, override) && override != unknown {
		if err := a.override(ctx, e, override, false); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusOK, e, nil
}

func (a *API) beat(ctx context.Context, e *entry) (known bool, err error) {
	got, err := a.cfg.Beats.Renew(ctx, a.ref(e.source), e.key())
	return got.Known, err
}
