package eureka

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

func (a *API) ref(name string) actors.Ref { return service.Ref(a.cfg.Namespace, a.cfg.Group, name) }

// locate is an instance that is to be changed. One that the view has not heard of yet
// is asked for: many who ask at once are answered together.
func (a *API) locate(ctx context.Context, name, id string) (*entry, error) {
	if err := a.view.ready(ctx); err != nil {
		return nil, err
	}
	if e := a.view.find(name, id); e != nil {
		return e, nil
	}
	if service.CheckName(name) != nil {
		return nil, errUnknownLease
	}
	done := a.asks.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTime)
		defer cancel()
		return cluster.Ask[*messages.Service](ctx, a.cfg.Cloud, a.ref(name), &messages.GetService{})
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-done:
		if errors.Is(got.Err, messages.NotFound) {
			return nil, errUnknownLease
		}
		if got.Err != nil {
			return nil, got.Err
		}
		if e := endpointsOf(name, got.Val.(*messages.Service).GetEndpoints(), id); e != nil {
			return e, nil
		}
		return nil, errUnknownLease
	}
}

// changeable is locate for one whom x may change. An instance's service may have its
// app's name in another case.
func (a *API) changeable(x *request) (*entry, error) {
	e, err := a.locate(x.Context(), x.appName(), x.PathValue("id"))
	if err != nil {
		// Who may not change it learns nothing of what there is.
		if forbidden := a.mayWrite(x, x.appName()); forbidden != nil {
			return nil, forbidden
		}
		return nil, err
	}
	return e, a.mayWrite(x, e.source)
}

// cancelLease answers DELETE /apps/{app}/{id}.
func (a *API) cancelLease(x *request) (reply, error) {
	e, err := a.changeable(x)
	if err != nil {
		return reply{}, err
	}
	return reply{}, a.remove(x.Context(), e, true)
}

func (a *API) remove(ctx context.Context, e *entry, see bool) error {
	if e.e.Owner != "" || e.e.Persistent {
		return fail(http.StatusBadRequest, "instance "+e.ID+" is kept by who registered it in another way: it cannot be cancelled here")
	}
	_, err := a.cfg.Cloud.Ask(ctx, a.ref(e.source), &messages.DeregisterEndpoints{
		Endpoints: []*messages.EndpointKey{e.key()}, EphemeralOnly: true,
	})
	if errors.Is(err, messages.NotFound) {
		return errUnknownLease
	}
	if err == nil && see {
		a.view.await(ctx, func() bool { return a.view.lookup(e.App, e.ID) != e })
	}
	return err
}

// setStatus answers PUT /apps/{app}/{id}/status.
func (a *API) setStatus(x *request) (reply, error) {
	e, err := a.changeable(x)
	if err != nil {
		return reply{}, err
	}
	value := x.URL.Query().Get("value")
	if !slices.Contains(statuses, value) {
		return reply{}, fail(http.StatusBadRequest, "value is one of UP, DOWN, STARTING, OUT_OF_SERVICE and UNKNOWN")
	}
	return reply{}, a.override(x.Context(), e, value, true)
}

// override has an instance shown with a status. Of one that another protocol has
// registered only whether it is in service can be said: the rest is not ours to say.
func (a *API) override(ctx context.Context, e *entry, value string, see bool) error {
	m := &messages.UpdateEndpoints{Keys: []*messages.EndpointKey{e.key()}}
	if !e.ours() {
		if value != up && value != outOfService {
			return fail(http.StatusBadRequest, "instance "+e.ID+" was registered in another way: it can be set UP or OUT_OF_SERVICE here")
		}
		m.Enabled = proto.Bool(value == up)
		return a.update(ctx, e, m, see)
	}
	enabled, healthy := flags(resolve(e.e.Status, value))
	m.StatusOverride, m.Enabled, m.Healthy = &value, &enabled, &healthy
	return a.update(ctx, e, m, see)
}

// clearStatus answers DELETE /apps/{app}/{id}/status. The instance has the status
// that is named until it says what it is.
func (a *API) clearStatus(x *request) (reply, error) {
	e, err := a.changeable(x)
	if err != nil {
		return reply{}, err
	}
	value := x.URL.Query().Get("value")
	if value == "" {
		value = unknown
	}
	if !slices.Contains(statuses, value) {
		return reply{}, fail(http.StatusBadRequest, "value is one of UP, DOWN, STARTING, OUT_OF_SERVICE and UNKNOWN")
	}
	return reply{}, a.clear(x.Context(), e, value, true)
}

func (a *API) clear(ctx context.Context, e *entry, value string, see bool) error {
	m := &messages.UpdateEndpoints{Keys: []*messages.EndpointKey{e.key()}}
	switch {
	case !e.ours() && e.e.Enabled, e.ours() && e.e.StatusOverride == "":
		return nil // there is none
	case !e.ours():
		m.Enabled = proto.Bool(true)
	default:
		enabled, healthy := flags(value)
		m.StatusOverride, m.Status, m.Enabled, m.Healthy = proto.String(""), &value, &enabled, &healthy
	}
	return a.update(ctx, e, m, see)
}

// setMetadata answers PUT /apps/{app}/{id}/metadata: every pair of the query is set.
func (a *API) setMetadata(x *request) (reply, error) {
	e, err := a.changeable(x)
	if err != nil {
		return reply{}, err
	}
	q := x.URL.Query()
	if len(q) > MaxPairs {
		return reply{}, fail(http.StatusBadRequest, "there are too many pairs")
	}
	m := &messages.UpdateEndpoints{Keys: []*messages.EndpointKey{e.key()}, SetMetadata: make(map[string]string, len(q))}
	for k, values := range q {
		m.SetMetadata[k] = values[0]
	}
	if len(q) == 0 {
		return reply{}, nil
	}
	return reply{}, a.update(x.Context(), e, m, true)
}

func (a *API) update(ctx context.Context, e *entry, m *messages.UpdateEndpoints, see bool) error {
	_, err := cluster.Ask[*messages.EndpointsUpdated](ctx, a.cfg.Cloud, a.ref(e.source), m)
	if errors.Is(err, messages.NotFound) {
		return errUnknownLease
	}
	if err == nil && see {
		a.view.await(ctx, func() bool {
			now := a.view.lookup(e.App, e.ID)
			return now != e || changesNothing(e, m)
		})
	}
	return err
}

// changesNothing says whether an endpoint is as an update wants it already.
func changesNothing(e *entry, m *messages.UpdateEndpoints) bool {
	for k, v := range m.SetMetadata {
		if had, ok := e.e.Metadata[k]; !ok || had != v {
			return false
		}
	}
	return (m.Enabled == nil || *m.Enabled == e.e.Enabled) && (m.Healthy == nil || *m.Healthy == e.e.Healthy) &&
		(m.StatusOverride == nil || *m.StatusOverride == e.e.StatusOverride) && (m.Status == nil || *m.Status == e.e.Status)
}
