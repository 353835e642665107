package naming

import (
	"context"
	"encoding/json"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// serviceView is a line of a list of services. Counts are those of now in pages of up
// to maxFresh lines; else those of ephemeral instances are some seconds old.
type serviceView struct {
	Name         string `json:"name"`
	GroupName    string `json:"groupName"`
	ClusterCount int32  `json:"clusterCount"`
	IPCount      int32  `json:"ipCount"`
	HealthyCount int32  `json:"healthyInstanceCount"`
	TriggerFlag  string `json:"triggerFlag"` // "true": so few are healthy that all are shown so
}

func lineOf(e *messages.ServiceEntry) serviceView {
	v := serviceView{e.GetName(), e.GetGroup(), e.GetClusterCount(), e.GetEndpointCount(), e.GetHealthyCount(), "false"}
	if t := e.GetProtectThreshold(); t > 0 && v.IPCount > 0 && float64(v.HealthyCount) <= t*float64(v.IPCount) {
		v.TriggerFlag = "true"
	}
	return v
}

// inCatalog is a service with its instances, in the words of v1's console.
type inCatalog struct {
	ServiceName string                       `json:"serviceName"`
	GroupName   string                       `json:"groupName"`
	ClusterMap  map[string]*clusterInCatalog `json:"clusterMap"`
	Metadata    map[string]string            `json:"metadata"`
}

type clusterInCatalog struct {
	Hosts []hostInCatalog `json:"hosts"`
}

type hostInCatalog struct {
	Valid    bool              `json:"valid"`
	Metadata map[string]string `json:"metadata"`
	Port     int32             `json:"port"`
	IP       string            `json:"ip"`
	Weight   json.RawMessage   `json:"weight"`
	Enabled  bool              `json:"enabled"`
}

func catalogOf(s *messages.Service) inCatalog {
	v := inCatalog{s.GetName(), s.GetGroup(), map[string]*clusterInCatalog{}, some(s.GetMetadata())}
	for _, e := range s.GetEndpoints() {
		c := v.ClusterMap[e.GetCluster()]
		if c == nil {
			c = &clusterInCatalog{}
			v.ClusterMap[e.GetCluster()] = c
		}
		c.Hosts = append(c.Hosts, hostInCatalog{
			e.GetHealthy(), some(e.GetMetadata()), e.GetPort(), e.GetIp(), wire.AppendFloat(nil, e.GetWeight()), e.GetEnabled(),
		})
	}
	return v
}

// listed are the services of a namespace whose names match; v1 names the address of
// an instance that they must have.
func (a *API) listed(r *api.Request, v *api.Values, notEmpty bool) ([]*messages.ServiceEntry, error) {
	namespace := api.Namespace(v.Text("namespaceId"))
	v.Fail(api.CheckNamespace(namespace))
	name, group := matcher(v, "serviceNameParam"), matcher(v, "groupNameParam")
	if err := v.Err(); err != nil {
		return nil, err
	}
	return a.found(r.Context(), service.IndexNamespace(namespace), func(e *messages.ServiceEntry) bool {
		return name(e.GetName()) && group(e.GetGroup()) && (!notEmpty || e.GetEndpointCount() > 0)
	})
}

// servicesV1 is v1's list for consoles.
func (a *API) servicesV1(r *api.Request) (api.Answer, error) {
	v := r.Values()
	p, instances := v.Page(api.MaxPageSize), v.Bool(false, "withInstances")
	all, err := a.listed(r, v, v.Bool(false, "hasIpCount"))
	if err == nil {
		all, err = a.containing(r, all, v.Text("containedInstance", "instance"))
	}
	if err != nil {
		return api.Answer{}, err
	}
	page := api.Cut(all, p).PageItems
	if instances {
		details, err := a.look(r.Context(), page)
		views := make([]inCatalog, len(details))
		for i, s := range details {
			views[i] = catalogOf(s)
		}
		return api.Answer{Bare: views}, err
	}
	a.refresh(r.Context(), page)
	return api.Answer{Bare: struct {
		Count    int           `json:"count"`
		Services []serviceView `json:"serviceList"`
	}{len(all), lines(page)}}, nil
}

// maxFresh is how many services are asked how many instances they have: the index
// knows it too, and is some seconds behind where nothing is committed.
const maxFresh = 200

// refresh puts the counts of now into entries. Who does not answer stays as the index
// has it.
func (a *API) refresh(ctx context.Context, page []*messages.ServiceEntry) {
	if len(page) > maxFresh {
		return
	}
	ask := func(e *messages.ServiceEntry) {
		ref := service.Ref(e.GetNamespace(), e.GetGroup(), e.GetName())
		if s, err := cluster.Ask[*messages.Service](ctx, a.Cloud, ref, &messages.GetService{WithoutEndpoints: true}); err == nil {
			e.EndpointCount, e.HealthyCount, e.ClusterCount = s.GetEndpointCount(), s.GetHealthyCount(), s.GetClusterCount()
		}
	}
	atOnce(page, func(_ int, e *messages.ServiceEntry) { ask(e) })
}

func lines(some []*messages.ServiceEntry) []serviceView {
	views := make([]serviceView, len(some))
	for i, e := range some {
		views[i] = lineOf(e)
	}
	return views
}

// containing keeps the services with an instance at ip or ip:port; empty: all.
func (a *API) containing(r *api.Request, all []*messages.ServiceEntry, at string) ([]*messages.ServiceEntry, error) {
	if at == "" {
		return all, nil
	}
	details, err := a.look(r.Context(), all)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, s := range details {
		for _, e := range s.GetEndpoints() {
			if e.GetIp() == at || target(e) == at {
				there[groupedOf(s)] = true
			}
		}
	}
	some := all[:0]
	for _, e := range all {
		if there[groupedOf(e)] {
			some = append(some, e)
		}
	}
	return some, nil
}

// services is the list of v3 and of its console.
func (a *API) services(r *api.Request) (api.Answer, error) {
	v := r.Values()
	p, instances := v.Page(100), v.Bool(false, "withInstances")
	all, err := a.listed(r, v, v.Bool(false, "ignoreEmptyService"))
	if err != nil {
		return api.Answer{}, err
	}
	page := api.Cut(all, p).PageItems
	if !instances {
		a.refresh(r.Context(), page)
		return api.Answer{Data: api.PagedOf(lines(page), len(all), p)}, nil
	}
	details, err := a.look(r.Context(), page)
	views := make([]serviceV3, len(details))
	for i, s := range details {
		views[i] = viewV3(s, asAsked(r), true)
	}
	return api.Answer{Data: api.PagedOf(views, len(all), p)}, err
}

// catalogService is a service for v1's console.
func (a *API) catalogService(r *api.Request) (api.Answer, error) {
	k, s, err := a.shown(r)
	if err != nil {
		return api.Answer{}, err
	}
	type clusterView struct {
		ServiceName      string            `json:"serviceName"`
		Name             string            `json:"name"`
		HealthChecker    checkerView       `json:"healthChecker"`
		DefaultPort      int               `json:"defaultPort"`
		DefaultCheckPort int               `json:"defaultCheckPort"`
		UseIPPort4Check  bool              `json:"useIPPort4Check"`
		Metadata         map[string]string `json:"metadata"`
	}
	views := []clusterView{}
	for _, c := range clustersOf(s) {
		port, own := checkPort(c.GetCheck())
		views = append(views, clusterView{
			grouped(k), c.GetName(), checkerOf(c.GetCheck()), shownPort, port, own, some(c.GetMetadata()),
		})
	}
	return api.Answer{Bare: map[string]any{
		"service": struct {
			Name             string            `json:"name"`
			GroupName        string            `json:"groupName"`
			ProtectThreshold json.RawMessage   `json:"protectThreshold"`
			Selector         selectorView      `json:"selector"`
			Metadata         map[string]string `json:"metadata"`
		}{k.Name, k.Group, wire.AppendFloat(nil, s.GetProtectThreshold()), selectorOf(s.GetSelector()), some(s.GetMetadata())},
		"clusters": views,
	}}, nil
}
