package nacos

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ServiceKey names a service.
type ServiceKey struct {
	Namespace string `json:"namespace"`
	Group     string `json:"group"`
	Name      string `json:"name"`
}

// Service is a service as it is shown. Lists know its counts only.
type Service struct {
	ServiceKey
	Clusters         []Cluster         `json:"clusters,omitempty"`
	Metadata         map[string]string `json:"metadata,omitempty"`
	ProtectThreshold float64           `json:"protectThreshold"`
	Selector         json.RawMessage   `json:"selector,omitempty"`
	Ephemeral        *bool             `json:"ephemeral,omitempty"` // nil: the server does not say
	ClusterCount     int               `json:"clusterCount"`
	Endpoints        int               `json:"ipCount"`
	Healthy          int               `json:"healthyInstanceCount"`
}

// Cluster is a part of a service and how it is checked.
type Cluster struct {
	Name      string            `json:"name"`
	Checker   json.RawMessage   `json:"healthChecker,omitempty"`
	CheckPort int               `json:"checkPort,omitempty"`
	OwnPort   bool              `json:"useInstancePort"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

// Endpoint is one address of a service.
type Endpoint struct {
	IP        string            `json:"ip"`
	Port      int               `json:"port"`
	Cluster   string            `json:"clusterName"`
	Weight    float64           `json:"weight"`
	Healthy   bool              `json:"healthy"`
	Enabled   bool              `json:"enabled"`
	Ephemeral bool              `json:"ephemeral"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

const (
	namingV1 = "/v1/ns"
	namingV3 = "/v3/admin/ns"
)

func (k ServiceKey) params() url.Values {
	return url.Values{"namespaceId": {k.Namespace}, "groupName": {k.Group}, "serviceName": {k.Name}}
}

// Services is a page of the services of a namespace, and how many there are in all.
// Group and name are texts that theirs hold.
func (c *Client) Services(ctx context.Context, f ServiceKey, number, size int) ([]Service, int, error) {
	v, err := c.Speaks(ctx)
	if err != nil {
		return nil, 0, err
	}
	p := paged(url.Values{"namespaceId": {f.Namespace}, "serviceNameParam": {f.Name}, "groupNameParam": {f.Group}}, number, size)
	type row struct {
		Name, GroupName                             string
		ClusterCount, IPCount, HealthyInstanceCount int
	}
	var rows []row
	total := 0
	if v == V3 {
		p.Set("ignoreEmptyService", "false")
		var answer page[row]
		err = c.wrapped(ctx, call{method: http.MethodGet, path: namingV3 + "/service/list", params: p}, &answer)
		rows, total = answer.PageItems, answer.TotalCount
	} else {
		p.Set("withInstances", "false")
		var answer struct {
			Count       int
			ServiceList []row
		}
		err = c.bare(ctx, call{method: http.MethodGet, path: namingV1 + "/catalog/services", params: p}, &answer)
		rows, total = answer.ServiceList, answer.Count
	}
	all := make([]Service, len(rows))
	for i, r := range rows {
		all[i] = Service{ServiceKey: ServiceKey{f.Namespace, r.GroupName, r.Name}, ClusterCount: r.ClusterCount, Endpoints: r.IPCount, Healthy: r.HealthyInstanceCount}
	}
	return all, total, err
}

// rawCluster is a cluster in the words of every version.
type rawCluster struct {
	Name, ClusterName                        string
	HealthChecker                            json.RawMessage
	HealthyCheckPort, DefaultCheckPort       int
	UseInstancePortForCheck, UseIPPort4Check *bool
	Metadata                                 map[string]string
}

func (r rawCluster) cluster(name string) Cluster {
	c := Cluster{Name: name, Checker: r.HealthChecker, CheckPort: r.HealthyCheckPort + r.DefaultCheckPort, OwnPort: true, Metadata: r.Metadata}
	for _, said := range []string{r.ClusterName, r.Name} {
		if said != "" {
			c.Name = said
		}
	}
	for _, said := range []*bool{r.UseInstancePortForCheck, r.UseIPPort4Check} {
		if said != nil {
			c.OwnPort = *said
		}
	}
	return c
}

// Service is one service with its clusters.
func (c *Client) Service(ctx context.Context, k ServiceKey) (Service, error) {
	v, err := c.Speaks(ctx)
	if err != nil {
		return Service{}, err
	}
	var r struct {
		Metadata         map[string]string
		ProtectThreshold float64
		Selector         json.RawMessage
		Ephemeral        *bool
		ClusterMap       map[string]rawCluster
		Clusters         []rawCluster
	}
	if v == V3 {
		err = c.wrapped(ctx, call{method: http.MethodGet, path: namingV3 + "/service", params: k.params()}, &r)
	} else {
		err = c.bare(ctx, call{method: http.MethodGet, path: namingV1 + "/service", params: k.params()}, &r)
	}
	s := Service{ServiceKey: k, Metadata: r.Metadata, ProtectThreshold: r.ProtectThreshold, Selector: r.Selector, Ephemeral: r.Ephemeral}
	for name, raw := range r.ClusterMap {
		s.Clusters = append(s.Clusters, raw.cluster(name))
	}
	for _, raw := range r.Clusters {
		s.Clusters = append(s.Clusters, raw.cluster(raw.Name))
	}
	s.ClusterCount = len(s.Clusters)
	return s, err
}

// Endpoints are those of one cluster of a service, also disabled ones; of all
// clusters if it is empty. At most as many as one answer holds.
func (c *Client) Endpoints(ctx context.Context, k ServiceKey, clusters ...string) ([]Endpoint, error) {
	v, err := c.Speaks(ctx)
	if err != nil {
		return nil, err
	}
	if v == V3 {
		p := k.params()
		p.Set("clusterName", strings.Join(clusters, ","))
		var all []Endpoint
		err := c.wrapped(ctx, call{method: http.MethodGet, path: namingV3 + "/instance/list", params: p}, &all)
		return all, err
	}
	var all []Endpoint
	for _, cluster := range clusters {
		more, err := c.endpointsV1(ctx, k, cluster)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// endpointsV1 reads all pages of one cluster.
func (c *Client) endpointsV1(ctx context.Context, k ServiceKey, cluster string) ([]Endpoint, error) {
	const size = 500
	var all []Endpoint
	for number := 1; ; number++ {
		p := paged(url.Values{"namespaceId": {k.Namespace}, "serviceName": {k.Group + "@@" + k.Name}, "clusterName": {cluster}}, number, size)
		var answer struct {
			List  []Endpoint
			Count int
		}
		if err := c.bare(ctx, call{method: http.MethodGet, path: namingV1 + "/catalog/instances", params: p}, &answer); err != nil {
			return nil, err
		}
		all = append(all, answer.List...)
		if len(all) >= answer.Count || len(answer.List) == 0 {
			return all, nil
		}
	}
}

// List is what a client that looks for a service sees: the enabled endpoints, and a
// mark that grows with every change.
func (c *Client) List(ctx context.Context, k ServiceKey, healthyOnly bool) (hosts []Endpoint, mark int64, err error) {
	p := k.params()
	p.Set("healthyOnly", strconv.FormatBool(healthyOnly))
	var answer struct {
		Hosts       []Endpoint
		LastRefTime int64
	}
	err = c.bare(ctx, call{method: http.MethodGet, path: namingV1 + "/instance/list", params: p}, &answer)
	return answer.Hosts, answer.LastRefTime, err
}

func (e Endpoint) params(k ServiceKey) (url.Values, error) {
	p := k.params()
	p.Set("ip", e.IP)
	p.Set("port", strconv.Itoa(e.Port))
	p.Set("clusterName", e.Cluster)
	p.Set("weight", strconv.FormatFloat(e.Weight, 'g', -1, 64))
	p.Set("enabled", strconv.FormatBool(e.Enabled))
	p.Set("healthy", strconv.FormatBool(e.Healthy))
	p.Set("ephemeral", strconv.FormatBool(e.Ephemeral))
	if len(e.Metadata) > 0 {
		raw, err := json.Marshal(e.Metadata)
		if err != nil {
			return nil, err
		}
		p.Set("metadata", string(raw))
	}
	return p, nil
}

// Register registers an endpoint, or replaces it.
func (c *Client) Register(ctx context.Context, k ServiceKey, e Endpoint) error {
	p, err := e.params(k)
	if err != nil {
		return err
	}
	return c.said(ctx, call{method: http.MethodPost, path: namingV1 + "/instance", params: p}, "ok")
}

// Deregister removes an endpoint; what is absent is no error.
func (c *Client) Deregister(ctx context.Context, k ServiceKey, e Endpoint) error {
	p, err := e.params(k)
	if err != nil {
		return err
	}
	return c.said(ctx, call{method: http.MethodDelete, path: namingV1 + "/instance", params: p}, "ok")
}

// codeUnknown is the code of a beat's answer about an endpoint that is not there.
const codeUnknown = 20404

// Beat says that an endpoint lives; known: it is registered. Next is when the server
// wants the next one, in milliseconds; 0: it does not say.
func (c *Client) Beat(ctx context.Context, k ServiceKey, e Endpoint) (known bool, next int64, err error) {
	p, err := e.params(k)
	if err != nil {
		return false, 0, err
	}
	var answer struct {
		Code               int
		ClientBeatInterval int64
	}
	err = c.bare(ctx, call{method: http.MethodPut, path: namingV1 + "/instance/beat", params: p}, &answer)
	return answer.Code != codeUnknown, answer.ClientBeatInterval, err
}

// SetService makes a persistent service, or changes it if there is one.
func (c *Client) SetService(ctx context.Context, s Service, exists bool) error {
	v, err := c.Speaks(ctx)
	if err != nil {
		return err
	}
	p := s.params()
	p.Set("protectThreshold", strconv.FormatFloat(s.ProtectThreshold, 'g', -1, 64))
	p.Set("ephemeral", "false")
	if len(s.Metadata) > 0 {
		raw, err := json.Marshal(s.Metadata)
		if err != nil {
			return err
		}
		p.Set("metadata", string(raw))
	}
	if len(s.Selector) > 0 && string(s.Selector) != "null" {
		p.Set("selector", string(s.Selector))
	}
	q := call{method: http.MethodPost, path: namingV1 + "/service", params: p}
	if exists {
		q.method = http.MethodPut
	}
	if v == V3 {
		q.path = namingV3 + "/service"
		return c.wrapped(ctx, q, nil)
	}
	return c.said(ctx, q, "ok")
}

// SetCluster says how a cluster is checked.
func (c *Client) SetCluster(ctx context.Context, k ServiceKey, x Cluster) error {
	v, err := c.Speaks(ctx)
	if err != nil {
		return err
	}
	p := k.params()
	p.Set("clusterName", x.Name)
	p.Set("healthChecker", string(x.Checker))
	p.Set("checkPort", strconv.Itoa(max(x.CheckPort, 0)))
	p.Set("useInstancePort4Check", strconv.FormatBool(x.OwnPort))
	if len(x.Metadata) > 0 {
		raw, err := json.Marshal(x.Metadata)
		if err != nil {
			return err
		}
		p.Set("metadata", string(raw))
	}
	q := call{method: http.MethodPut, path: namingV1 + "/cluster", params: p}
	if v == V3 {
		q.path = namingV3 + "/cluster"
		return c.wrapped(ctx, q, nil)
	}
	return c.said(ctx, q, "ok")
}
