package naming

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// maxClustersBytes bounds the clusters that a list is asked for.
const maxClustersBytes = 4096

// query is what a list of instances is asked with.
type query struct {
	key      api.Key
	clusters string // verbatim
	healthy  bool
	consumer string // address for whom a selector chooses
}

// clusters is the list of clusters in a parameter, of which each is a name.
func clusters(v *api.Values, names ...string) string {
	list := v.Text(names...)
	if len(list) > maxClustersBytes {
		v.Fail(api.ParameterInvalid.Errorf("Param '%s' is longer than %d bytes", names[0], maxClustersBytes))
		return ""
	}
	for _, c := range wire.SplitClusters(list) {
		if err := api.CheckCluster(c); err != nil {
			v.Fail(err)
		}
	}
	return list
}

// consumer is the address for whom a selector chooses: what the client says its own
// is, for a choice is all that it can change.
func consumer(r *api.Request, v *api.Values, name string) string {
	if ip := v.Text(name); ip != "" && len(ip) <= api.MaxIP {
		return ip
	}
	return r.ClientIP
}

// listV1 lists the instances of a service, and lets who has a port for datagrams
// listen.
func (a *API) listV1(r *api.Request) (api.Answer, error) {
	v := r.Values()
	q, port, app := query{
		clusters: clusters(v, "clusters"), healthy: v.Bool(false, "healthyOnly"), consumer: consumer(r, v, "clientIP"),
	}, v.Int(0, "udpPort"), v.Text("app")
	raw, revision, err := a.list(r, v, &q)
	if err != nil {
		return api.Answer{}, err
	}
	if port > 0 && a.Push != nil && a.Switches().Push {
		a.Push.Listen(Listening{
			Service: q.key, Clusters: q.clusters, Peer: r.ClientIP, Port: port, Agent: agent(r), App: app, Revision: revision,
		})
	}
	return api.Answer{Raw: raw, Type: typeJSON}, nil
}

// typeJSON is that of an answer which is JSON already.
const typeJSON = "application/json;charset=UTF-8"

// listV2 is the same under other names, wrapped.
func (a *API) listV2(r *api.Request) (api.Answer, error) {
	v := r.Values()
	q := query{
		clusters: clusters(v, "clusterName"), healthy: v.Bool(false, "healthyOnly"), consumer: consumer(r, v, "ip"),
	}
	raw, _, err := a.list(r, v, &q)
	return api.Answer{Data: json.RawMessage(raw)}, err
}

// list renders the ServiceInfo that q asks for. A service that is not there has
// nobody.
func (a *API) list(r *api.Request, v *api.Values, q *query) (raw []byte, revision int64, err error) {
	if q.key, err = r.ServiceKey(); err == nil {
		err = v.Err()
	}
	if err != nil {
		return nil, 0, err
	}
	s, err := a.service(r, q.key)
	info := wire.ServiceInfo{Group: q.key.Group, Name: q.key.Name, Grouped: true, Clusters: q.clusters}
	switch {
	case errors.Is(err, messages.NotFound):
		info.Revision = time.Now().UnixMilli() - 1 // whatever is registered from now on is newer
		return info.Render(), info.Revision, nil
	case err != nil:
		return nil, 0, err
	}
	raw = a.Renders.Rendered(ref(q.key), s.GetRevision(), q.view(s), func() []byte {
		info.Choose(s, q.healthy, q.consumer)
		return info.Render()
	})
	return raw, s.GetRevision(), nil
}

// view tells the answers apart that one state of a service can have. Who asks is
// of account only where a selector looks at it.
func (q *query) view(s *messages.Service) string {
	view := "nacos/http/" + strconv.FormatBool(q.healthy) + "/" + q.clusters
	if s.GetSelector().GetType() == service.SelectorLabel {
		view += "/" + q.consumer
	}
	return view
}

// service is all about a service, with its endpoints. It may not be changed.
func (a *API) service(r *api.Request, k api.Key) (*messages.Service, error) {
	return cluster.Ask[*messages.Service](r.Context(), a.Cloud, ref(k), &messages.GetService{})
}

// agent is which client asks, as it says.
func agent(r *api.Request) string {
	if s := r.Header.Get("User-Agent"); s != "" {
		return s
	}
	return r.Header.Get("Client-Version")
}

// hosts are the enabled instances of some clusters as a list of nothing else.
func (a *API) hosts(r *api.Request) (api.Answer, error) {
	v := r.Values()
	list, healthy := clusters(v, "clusterName"), v.Bool(false, "healthyOnly")
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
	info := wire.ServiceInfo{Group: k.Group, Name: k.Name, Clusters: list}
	info.Choose(s, healthy, r.ClientIP)
	return api.Answer{Data: json.RawMessage(wire.AppendHosts(nil, grouped(k), info.Hosts))}, nil
}
