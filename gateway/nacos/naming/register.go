package naming

import (
	"errors"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

var (
	fine     = api.Answer{Data: "ok"}
	bareFine = api.Answer{Raw: []byte("ok")} // where the form of the route would wrap it and Nacos does not
)

// register adds an instance, or replaces it. Ephemeral ones live by their beats.
func (a *API) register(r *api.Request) (api.Answer, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return api.Answer{}, err
	}
	v := r.Values()
	e := a.endpoint(v, k)
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	return fine, a.add(r, k, e)
}

func (a *API) add(r *api.Request, k api.Key, e *messages.Endpoint) error {
	m := &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{e}}
	got, err := cluster.Ask[*messages.EndpointsRegistered](r.Context(), a.Cloud, ref(k), m)
	if got.GetCreated() {
		a.Names.Hint(registry.ServiceKind, k.Namespace)
	}
	return as(err, messages.Invalid, api.InstanceError)
}

// deregister removes an instance of the kind that the request names; that there is
// none is no error.
func (a *API) deregister(r *api.Request) (api.Answer, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return api.Answer{}, err
	}
	v := r.Values()
	key := keyOf(v)
	ephemeral := v.Bool(a.Switches().Ephemeral, "ephemeral")
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	_, err = a.Cloud.Ask(r.Context(), ref(k), &messages.DeregisterEndpoints{
		Endpoints: []*messages.EndpointKey{key}, EphemeralOnly: ephemeral, PersistentOnly: !ephemeral,
	})
	if err != nil && !errors.Is(err, messages.NotFound) {
		return api.Answer{}, err
	}
	return fine, nil
}

// update replaces what an operator may set of an instance that exists.
func (a *API) update(r *api.Request) (api.Answer, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return api.Answer{}, err
	}
	v := r.Values()
	e := a.endpoint(v, k)
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	err = a.change(r, k, &messages.UpdateEndpoints{
		Keys:   []*messages.EndpointKey{{Ip: e.Ip, Port: e.Port, Cluster: e.Cluster}},
		Weight: &e.Weight, Enabled: &e.Enabled, SetMetadata: e.Metadata, ReplaceMetadata: true,
	})
	return fine, as(err, messages.NotFound, api.InstanceError)
}

// patch changes only what the request names. That it is healthy, which v1 may say
// too, is read and does not count, as in Nacos since 2.0: beats and checks know.
func (a *API) patch(r *api.Request) error {
	k, err := r.ServiceKey()
	if err != nil {
		return err
	}
	v := r.Values()
	m := &messages.UpdateEndpoints{
		Keys:   []*messages.EndpointKey{keyOf(v)},
		Weight: v.OptionalFloat("weight"), Enabled: v.OptionalBool("enabled"),
		SetMetadata: metadata(v, api.MetadataError), ReplaceMetadata: v.Text("metadata") != "",
	}
	v.OptionalBool("healthy")
	if err := v.Err(); err != nil {
		return err
	}
	probe := &messages.Endpoint{Ip: m.Keys[0].Ip, Weight: m.GetWeight(), Metadata: m.SetMetadata}
	if err := finish(k, probe); err != nil {
		return err
	}
	return as(a.change(r, k, m), messages.NotFound, api.InstanceNotFound)
}

func (a *API) patchPlain(r *api.Request) (api.Answer, error)   { return bareFine, a.patch(r) }
func (a *API) patchWrapped(r *api.Request) (api.Answer, error) { return fine, a.patch(r) }

func (a *API) change(r *api.Request, k api.Key, m *messages.UpdateEndpoints) error {
	wire.FinishUpdate(m)
	_, err := cluster.Ask[*messages.EndpointsUpdated](r.Context(), a.Cloud, ref(k), m)
	return as(err, messages.Invalid, api.InstanceError)
}
