package naming

import (
	"errors"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// wanted says which address a request asks about: nil of either: any.
func wanted(v *api.Values) func(ip string, port int32) bool {
	wantIP, wantPort := v.Text("ip"), v.Int(-1, "port")
	return func(ip string, port int32) bool {
		return (wantIP == "" || wantIP == ip) && (wantPort < 0 || wantPort == int(port))
	}
}

// publishers lists who published at a service.
func (a *API) publishers(v3 bool) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		v := r.Values()
		is := wanted(v)
		k, err := r.ServiceKey()
		if err == nil {
			err = v.Err()
		}
		if err != nil {
			return api.Answer{}, err
		}
		s, err := a.service(r, k)
		if err != nil && !errors.Is(err, messages.NotFound) {
			return api.Answer{}, err
		}
		list := []any{}
		for _, e := range s.GetEndpoints() {
			switch {
			case !is(e.GetIp(), e.GetPort()):
			case v3:
				list = append(list, publisherInfo{clientOf(e), e.GetIp(), e.GetPort(), e.GetCluster()})
			default:
				list = append(list, registered{e.GetIp(), e.GetPort(), e.GetCluster(), clientOf(e)})
			}
		}
		return api.Answer{Data: list}, nil
	}
}

// listens lists who listens to a service.
func (a *API) listens(v3 bool) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		v := r.Values()
		is := wanted(v)
		k, err := r.ServiceKey()
		if err == nil {
			err = v.Err()
		}
		if err != nil {
			return api.Answer{}, err
		}
		all, err := a.listeners(r.Context(), k, true)
		if err != nil {
			return api.Answer{}, err
		}
		list := []any{}
		for _, s := range all {
			switch {
			case !is(s.GetIp(), s.GetPort()):
			case v3:
				list = append(list, subscriberInfo{s.GetClient(), s.GetApp(), s.GetAgent(), addressOf(s)})
			default:
				list = append(list, registered{IP: s.GetIp(), Port: s.GetPort(), ClientID: s.GetClient()})
			}
		}
		return api.Answer{Data: list}, nil
	}
}
