package naming

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// instanceDetail is one instance as v1 and v2 show it by itself.
type instanceDetail struct {
	Service     string            `json:"service,omitempty"`     // v1
	ServiceName string            `json:"serviceName,omitempty"` // v2
	IP          string            `json:"ip"`
	Port        int32             `json:"port"`
	ClusterName string            `json:"clusterName"`
	Weight      json.RawMessage   `json:"weight"`
	Healthy     bool              `json:"healthy"`
	InstanceID  string            `json:"instanceId"`
	Metadata    map[string]string `json:"metadata"`
}

// one finds the instance that the request names, of any kind.
func (a *API) one(r *api.Request) (k api.Key, e *messages.Endpoint, err error) {
	v := r.Values()
	key := keyOf(v)
	if k, err = r.ServiceKey(); err == nil {
		err = v.Err()
	}
	if err != nil {
		return k, nil, err
	}
	s, err := a.service(r, k)
	if err != nil && !errors.Is(err, messages.NotFound) {
		return k, nil, err
	}
	if len(s.GetEndpoints()) == 0 {
		return k, nil, api.InstanceNotFound.Errorf("no ips found for cluster %s in service %s", key.Cluster, grouped(k))
	}
	for _, e := range s.GetEndpoints() {
		if e.Ip == key.Ip && e.Port == key.Port && e.Cluster == key.Cluster {
			return k, e, nil
		}
	}
	return k, nil, api.InstanceNotFound.Errorf("no matched ip found!")
}

func detailOf(k api.Key, e *messages.Endpoint) *instanceDetail {
	d := &instanceDetail{
		IP: e.Ip, Port: e.Port, ClusterName: e.Cluster, Weight: wire.AppendFloat(nil, e.Weight), Healthy: e.Healthy,
		InstanceID: wire.InstanceID(grouped(k), e), Metadata: e.Metadata,
	}
	if d.Metadata == nil {
		d.Metadata = map[string]string{}
	}
	return d
}

func (a *API) detailV1(r *api.Request) (api.Answer, error) {
	k, e, err := a.one(r)
	if err != nil {
		return api.Answer{}, err
	}
	d := detailOf(k, e)
	d.Service = r.Values().Text("serviceName")
	return api.Answer{Bare: d}, nil
}

func (a *API) detailV2(r *api.Request) (api.Answer, error) {
	k, e, err := a.one(r)
	if err != nil {
		return api.Answer{}, err
	}
	d := detailOf(k, e)
	d.ServiceName = grouped(k)
	return api.Answer{Data: d}, nil
}

func (a *API) detailV3(r *api.Request) (api.Answer, error) {
	k, e, err := a.one(r)
	if err != nil {
		return api.Answer{}, err
	}
	return api.Answer{Data: json.RawMessage(wire.AppendInstance(nil, grouped(k), e))}, nil
}

// statusSeparator stands between a namespace and a service in the key of statuses.
const statusSeparator = "##"

// statusesResource is what the statuses of a service need permission for.
func statusesResource(r *api.Request) api.Resource {
	k := statusKey(r)
	return api.Resource{Namespace: k.Namespace, Group: k.Group, Type: api.Naming, Name: k.Name}
}

// statusKey is namespace##GROUP@@name, in the path or as a parameter.
func statusKey(r *api.Request) api.Key {
	key := r.PathValue("key")
	if key == "" {
		key = r.Values().Text("key")
	}
	namespace, name, ok := strings.Cut(key, statusSeparator)
	if !ok {
		namespace, name = "", key
	}
	k := api.SplitService(name, "")
	k.Namespace = api.Namespace(namespace)
	return k
}

// statuses says of all instances whether they are healthy.
func (a *API) statuses(r *api.Request) (api.Answer, error) {
	k := statusKey(r)
	if k.Name == "" {
		return api.Answer{}, api.Missing("key")
	}
	if err := errors.Join(api.CheckNamespace(k.Namespace), api.CheckGroup(k.Group), api.CheckService(k.Name)); err != nil {
		return api.Answer{}, err
	}
	s, err := a.service(r, k)
	if err != nil && !errors.Is(err, messages.NotFound) {
		return api.Answer{}, err
	}
	ips := map[string]bool{}
	for _, e := range s.GetEndpoints() {
		ips[target(e)] = e.Healthy
	}
	return api.Answer{Bare: map[string]any{"ips": ips}}, nil
}
