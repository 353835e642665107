package naming

import (
	"encoding/json"
	"slices"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// serviceV1 is a service as v1 shows it. Its clusters are those that were
// configured or have instances.
type serviceV1 struct {
	NamespaceID      string            `json:"namespaceId"`
	GroupName        string            `json:"groupName"`
	Name             string            `json:"name"`
	ProtectThreshold json.RawMessage   `json:"protectThreshold"`
	Metadata         map[string]string `json:"metadata"`
	Selector         selectorView      `json:"selector"`
	Clusters         []clusterV1       `json:"clusters"`
}

type clusterV1 struct {
	Name          string            `json:"name"`
	HealthChecker checkerView       `json:"healthChecker"`
	Metadata      map[string]string `json:"metadata"`
}

// serviceV3 is a service as v2 and v3 show it, and as lists with instances do.
type serviceV3 struct {
	NamespaceID      string                `json:"namespaceId"`
	ServiceName      string                `json:"serviceName"`
	GroupName        string                `json:"groupName"`
	ClusterMap       map[string]*clusterV3 `json:"clusterMap"`
	Metadata         map[string]string     `json:"metadata"`
	ProtectThreshold json.RawMessage       `json:"protectThreshold"`
	Selector         selectorView          `json:"selector"`
	Ephemeral        bool                  `json:"ephemeral"`
}

type clusterV3 struct {
	ClusterName             string            `json:"clusterName"`
	HealthChecker           checkerView       `json:"healthChecker"`
	HealthyCheckPort        int               `json:"healthyCheckPort"`
	UseInstancePortForCheck bool              `json:"useInstancePortForCheck"`
	Metadata                map[string]string `json:"metadata"`
	Hosts                   json.RawMessage   `json:"hosts"` // null where instances are not asked for
}

// clustersOf are the clusters of a service in the order of their names, with those
// that only have instances.
func clustersOf(s *messages.Service) []*messages.ServiceCluster {
	all := slices.Clone(s.GetClusters())
	for _, e := range s.GetEndpoints() {
		known := func(c *messages.ServiceCluster) bool { return c.GetName() == e.GetCluster() }
		if !slices.ContainsFunc(all, known) {
			all = append(all, &messages.ServiceCluster{Name: e.GetCluster()})
		}
	}
	slices.SortFunc(all, func(a, b *messages.ServiceCluster) int { return compare(a.GetName(), b.GetName()) })
	return all
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// some is m, which clients never want to be null.
func some(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// asAsked is a namespace in the spelling of the request.
func asAsked(r *api.Request) string { return r.Values().Or(api.PublicNamespace, "namespaceId") }

func (a *API) showV1(r *api.Request) (api.Answer, error) {
	k, s, err := a.shown(r)
	if err != nil {
		return api.Answer{}, err
	}
	view := serviceV1{
		NamespaceID: asAsked(r), GroupName: k.Group, Name: k.Name, Metadata: some(s.GetMetadata()),
		ProtectThreshold: wire.AppendFloat(nil, s.GetProtectThreshold()), Selector: selectorOf(s.GetSelector()), Clusters: []clusterV1{},
	}
	for _, c := range clustersOf(s) {
		view.Clusters = append(view.Clusters, clusterV1{c.GetName(), checkerOf(c.GetCheck()), some(c.GetMetadata())})
	}
	return api.Answer{Bare: view}, nil
}

func (a *API) show(r *api.Request) (api.Answer, error) {
	_, s, err := a.shown(r)
	if err != nil {
		return api.Answer{}, err
	}
	return api.Answer{Data: viewV3(s, asAsked(r), false)}, nil
}

func (a *API) shown(r *api.Request) (api.Key, *messages.Service, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return k, nil, err
	}
	s, err := a.service(r, k)
	return k, s, notThere(err, k)
}

// viewV3 is s, with its instances if they are wanted.
func viewV3(s *messages.Service, namespace string, instances bool) serviceV3 {
	view := serviceV3{
		NamespaceID: namespace, ServiceName: s.GetName(), GroupName: s.GetGroup(), Metadata: some(s.GetMetadata()),
		ProtectThreshold: wire.AppendFloat(nil, s.GetProtectThreshold()), Selector: selectorOf(s.GetSelector()),
		Ephemeral: !s.GetPersistent(), ClusterMap: map[string]*clusterV3{},
	}
	hosts := map[string][]*messages.Endpoint{}
	if instances {
		for _, e := range s.GetEndpoints() {
			hosts[e.GetCluster()] = append(hosts[e.GetCluster()], e)
		}
	}
	for _, c := range clustersOf(s) {
		port, own := checkPort(c.GetCheck())
		shown := &clusterV3{
			ClusterName: c.GetName(), HealthChecker: checkerOf(c.GetCheck()), HealthyCheckPort: port,
			UseInstancePortForCheck: own, Metadata: some(c.GetMetadata()),
		}
		if instances {
			shown.Hosts = wire.AppendHosts(nil, groupedOf(s), hosts[c.GetName()])
		}
		view.ClusterMap[c.GetName()] = shown
	}
	return view
}
