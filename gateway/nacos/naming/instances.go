package naming

import (
	"encoding/json"
	"slices"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// all are the instances of a service for those who look after it: disabled ones
// too, and each as healthy as it is. Of one cluster, if the request names one.
func (a *API) all(r *api.Request, v *api.Values) (api.Key, []*messages.Endpoint, error) {
	cluster := v.Text("clusterName")
	if cluster != "" {
		v.Fail(api.CheckCluster(cluster))
	}
	k, err := r.ServiceKey()
	if err == nil {
		err = v.Err()
	}
	if err != nil {
		return k, nil, err
	}
	s, err := a.service(r, k)
	if err != nil {
		return k, nil, notThere(err, k)
	}
	if cluster == "" {
		return k, s.GetEndpoints(), nil
	}
	return k, where(s.GetEndpoints(), func(e *messages.Endpoint) bool { return e.GetCluster() == cluster }), nil
}

func where(all []*messages.Endpoint, is func(*messages.Endpoint) bool) []*messages.Endpoint {
	return slices.DeleteFunc(slices.Clone(all), func(e *messages.Endpoint) bool { return !is(e) })
}

func hostsJSON(k api.Key, some []*messages.Endpoint) json.RawMessage {
	return wire.AppendHosts(nil, grouped(k), some)
}

// instances is v3's list for administrators.
func (a *API) instances(r *api.Request) (api.Answer, error) {
	v := r.Values()
	healthy := v.Bool(false, "healthyOnly")
	k, all, err := a.all(r, v)
	if err != nil {
		return api.Answer{}, err
	}
	if healthy {
		all = where(all, (*messages.Endpoint).GetHealthy)
	}
	return api.Answer{Data: hostsJSON(k, all)}, nil
}

// instancesPage is the list of v3's console.
func (a *API) instancesPage(r *api.Request) (api.Answer, error) {
	v := r.Values()
	p := v.Page(100)
	k, all, err := a.all(r, v)
	if err != nil {
		return api.Answer{}, err
	}
	page := api.Cut(all, p)
	return api.Answer{Data: struct {
		TotalCount     int             `json:"totalCount"`
		PageNumber     int             `json:"pageNumber"`
		PagesAvailable int             `json:"pagesAvailable"`
		PageItems      json.RawMessage `json:"pageItems"`
	}{page.TotalCount, page.PageNumber, page.PagesAvailable, hostsJSON(k, page.PageItems)}}, nil
}

// catalogV1 is a page of a cluster's instances for v1's console.
func (a *API) catalogV1(r *api.Request) (api.Answer, error) {
	v := r.Values()
	v.Need("clusterName")
	p := wide(v, 0)
	k, all, err := a.all(r, v)
	if err != nil {
		return api.Answer{}, err
	}
	return api.Answer{Bare: struct {
		List  json.RawMessage `json:"list"`
		Count int             `json:"count"`
	}{hostsJSON(k, api.Cut(all, p).PageItems), len(all)}}, nil
}

// catalogV2 is the same of all clusters, of which healthy or enabled ones may be
// asked for, or the others.
func (a *API) catalogV2(r *api.Request) (api.Answer, error) {
	v := r.Values()
	p, healthy, enabled := wide(v, 0), v.OptionalBool("healthyOnly"), v.OptionalBool("enabledOnly")
	k, all, err := a.all(r, v)
	if err != nil && messages.KindOf(err) != messages.ErrorKind_ERROR_KIND_NOT_FOUND {
		return api.Answer{}, err
	}
	all = where(all, func(e *messages.Endpoint) bool {
		return (healthy == nil || e.GetHealthy() == *healthy) && (enabled == nil || e.GetEnabled() == *enabled)
	})
	return api.Answer{Data: struct {
		Instances json.RawMessage `json:"instances"`
		Count     int             `json:"count"`
	}{hostsJSON(k, api.Cut(all, p).PageItems), len(all)}}, nil
}
