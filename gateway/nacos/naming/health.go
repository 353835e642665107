package naming

import (
	"net"
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// setHealth says whether a persistent instance is healthy, where nobody checks it.
func (a *API) setHealth(r *api.Request) (api.Answer, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return api.Answer{}, err
	}
	v := r.Values()
	healthy := v.OptionalBool("healthy", "valid")
	if healthy == nil && v.Err() == nil {
		return api.Answer{}, api.HealthyMissing.Errorf("Param 'healthy' is required.")
	}
	key := keyOf(v)
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	_, err = a.Cloud.Ask(r.Context(), ref(k), &messages.UpdateEndpoints{
		Keys: []*messages.EndpointKey{key}, Healthy: healthy, PersistentOnly: true,
	})
	if err != nil && messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INVALID {
		return api.Answer{}, api.StillChecked.Errorf("health check is still working, service: %s, cluster: %s", grouped(k), key.Cluster)
	}
	return fine, as(err, messages.NotFound, api.InstanceError)
}

// healthServer says that this node answers.
func (a *API) healthServer(r *api.Request) (api.Answer, error) {
	port := "unknown"
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if _, p, err := net.SplitHostPort(at.String()); err == nil {
			port = p
		}
	}
	return api.Answer{Bare: map[string]string{"msg": "Hello! I am Nacos-Naming and healthy! local port:" + port}}, nil
}
