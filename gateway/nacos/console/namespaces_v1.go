package console

import (
	"errors"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// v1 asks three things by one route, and says of what it did only whether it did it.

func (a *API) namespacesV1(r *api.Request) (api.Answer, error) {
	v := r.Values()
	switch {
	case v.Bool(false, "checkNamespaceIdExist"):
		is, err := a.exists(r.Context(), v.Text("customNamespaceId"))
		return api.Answer{Bare: is}, err
	case v.Text("show") == "all":
		if err := api.CheckNamespace(v.Text("namespaceId")); err != nil {
			return api.Answer{}, err
		}
		view, err := a.get(r.Context(), before3, v.Text("namespaceId"))
		return api.Answer{Bare: view}, err
	}
	return a.listNamespaces(before3)(r)
}

// done makes of err whether something was done: a refusal is false, and what was
// not decided is an error still.
func done(err error) (api.Answer, error) {
	if err == nil {
		return api.Answer{Bare: true}, nil
	}
	if errors.Is(err, messages.Invalid) || errors.Is(err, messages.NotFound) || errors.Is(err, messages.Conflict) {
		return api.Answer{Bare: false}, nil
	}
	return api.Answer{}, err
}

func (a *API) createNamespaceV1(r *api.Request) (api.Answer, error) {
	v := r.Values()
	id, name, desc := v.Text("customNamespaceId"), v.Need("namespaceName"), v.Text("namespaceDesc")
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	return done(a.create(r.Context(), id, name, desc))
}

func (a *API) updateNamespaceV1(r *api.Request) (api.Answer, error) {
	v := r.Values()
	id, name, desc := v.Need("namespace"), v.Need("namespaceShowName"), v.Text("namespaceDesc")
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	return done(a.update(r.Context(), id, name, desc))
}

func (a *API) deleteNamespaceV1(r *api.Request) (api.Answer, error) {
	v := r.Values()
	id := v.Need("namespaceId")
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	is, err := a.remove(r.Context(), id)
	if !is {
		return done(errors.Join(err, messages.NotFound))
	}
	return done(nil)
}
