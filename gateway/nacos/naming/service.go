package naming

import (
	"fmt"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// form is what a service is made of, or changed to.
func form(v *api.Values) *messages.SetService {
	threshold := v.Float(0, "protectThreshold")
	if threshold < 0 || threshold > 1 {
		v.Fail(api.ParameterInvalid.Errorf("Param 'protectThreshold' is %v, which is not between 0 and 1", threshold))
	}
	selector, err := parseSelector(v.Text("selector"))
	v.Fail(err)
	return &messages.SetService{
		ProtectThreshold: &threshold, Selector: selector,
		Metadata: metadata(v, api.ServiceMetadataError), MetadataSet: true,
	}
}

// create makes a service, which holds persistent instances unless it says
// otherwise; in v1 it cannot.
func (a *API) create(r *api.Request) (api.Answer, error) { return a.make(r, false) }

func (a *API) createOfKind(r *api.Request) (api.Answer, error) {
	v := r.Values()
	ephemeral := v.Bool(false, "ephemeral")
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	return a.make(r, ephemeral)
}

func (a *API) make(r *api.Request, ephemeral bool) (api.Answer, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return api.Answer{}, err
	}
	v := r.Values()
	m := form(v)
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	m.Mode, m.Persistent = messages.SetService_CREATE, !ephemeral
	_, err = a.Cloud.Ask(r.Context(), ref(k), m)
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_CONFLICT {
		return api.Answer{}, api.ServiceExists.Errorf("specified service already exists, serviceName : %s", grouped(k))
	}
	a.Names.Hint(registry.ServiceKind, k.Namespace)
	return fine, as(err, messages.Invalid, api.ServiceMetadataError)
}

// change replaces what an operator may set of a service that exists. It stays of
// its kind.
func (a *API) changeService(r *api.Request) (api.Answer, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return api.Answer{}, err
	}
	v := r.Values()
	m := form(v)
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	there, err := a.without(r, k)
	if err != nil {
		return api.Answer{}, err
	}
	m.Mode, m.Persistent = messages.SetService_UPDATE, there.GetPersistent()
	_, err = a.Cloud.Ask(r.Context(), ref(k), m)
	return fine, as(notThere(err, k), messages.Invalid, api.ServiceMetadataError)
}

// without is a service without its endpoints.
func (a *API) without(r *api.Request, k api.Key) (*messages.Service, error) {
	s, err := cluster.Ask[*messages.Service](r.Context(), a.Cloud, ref(k), &messages.GetService{WithoutEndpoints: true})
	return s, notThere(err, k)
}

// notThere has NotFound say which service is not there.
func notThere(err error, k api.Key) error {
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_NOT_FOUND {
		return api.ServiceNotFound.With(fmt.Errorf("service %s of namespace %s not found!: %w", grouped(k), k.Namespace, messages.NotFound))
	}
	return err
}

// remove removes a service without instances.
func (a *API) remove(r *api.Request) (api.Answer, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return api.Answer{}, err
	}
	_, err = a.Cloud.Ask(r.Context(), ref(k), &messages.DeleteService{})
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_CONFLICT {
		return api.Answer{}, api.ServiceNotEmpty.Errorf("Service %s is not empty, can't be delete. Please unregister instance first", grouped(k))
	}
	a.Names.Hint(registry.ServiceKind, k.Namespace)
	return fine, notThere(err, k)
}
