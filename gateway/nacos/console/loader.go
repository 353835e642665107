package console

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// defaultLoaderFactor is by how much more than the average a node may have before
// smartReloadCluster sends connections elsewhere.
const defaultLoaderFactor = 0.1

// connectionView is a connected client as operators know it.
type connectionView struct {
	Abilities map[string]bool `json:"abilityTable"`
	Meta      metaView        `json:"metaInfo"`
}

type metaView struct {
	Type       string            `json:"connectType"`
	ClientIP   string            `json:"clientIp"`
	RemoteIP   string            `json:"remoteIp"`
	RemotePort int               `json:"remotePort"`
	LocalPort  int               `json:"localPort"`
	Version    string            `json:"version"`
	ID         string            `json:"connectionId"`
	Created    int64             `json:"createTime"` // Unix milliseconds
	Active     int64             `json:"lastActiveTime"`
	App        string            `json:"appName"`
	Namespace  string            `json:"namespaceId"`
	Labels     map[string]string `json:"labels"`
	TLS        bool              `json:"tlsProtected"`
}

func (a *API) currentConnections(*api.Request) (api.Answer, error) {
	views := map[string]connectionView{}
	if a.Connections == nil {
		return api.Answer{Data: views}, nil
	}
	for _, c := range a.Connections.Connections() {
		views[c.ID] = connectionView{c.Abilities, metaView{
			Type: "GRPC", ClientIP: c.ClientIP, RemoteIP: c.RemoteIP, RemotePort: c.RemotePort, LocalPort: c.LocalPort, Version: c.Version,
			ID: c.ID, Created: c.Created, Active: c.LastActive, App: c.App, Namespace: c.Tenant, Labels: c.Labels,
		}}
	}
	return api.Answer{Data: views}, nil
}

// loadView is how the connections are spread over the servers.
type loadView struct {
	Total     int64            `json:"total"`
	Min       int64            `json:"min"`
	Max       int64            `json:"max"`
	Avg       float64          `json:"avg"`
	Members   int              `json:"memberCount"`
	Measured  int              `json:"metricsCount"`
	Completed bool             `json:"completed"`
	Threshold string           `json:"threshold"`
	Detail    []map[string]any `json:"detail"`
}

func (a *API) load(ctx context.Context) loadView {
	v := loadView{Detail: []map[string]any{}}
	for _, n := range a.nodesNow(ctx) {
		v.Members++
		if n.state == down {
			continue
		}
		if v.Measured == 0 || n.Connections < v.Min {
			v.Min = n.Connections
		}
		v.Measured++
		v.Total += n.Connections
		v.Max = max(v.Max, n.Connections)
		v.Detail = append(v.Detail, map[string]any{"address": n.Address, "metric": map[string]any{"conCount": n.Connections, "sdkConCount": n.Connections}})
	}
	v.Completed = v.Measured == v.Members
	if v.Measured > 0 {
		v.Avg = float64(v.Total) / float64(v.Measured)
	}
	return v
}

func (a *API) clusterLoad(r *api.Request) (api.Answer, error) {
	v := a.load(r.Context())
	v.Threshold = threshold(v.Avg, defaultLoaderFactor)
	return api.Answer{Data: v}, nil
}

// reloadCurrent sends clients of this node elsewhere until count are left.
func (a *API) reloadCurrent(r *api.Request) (api.Answer, error) {
	v := r.Values()
	keep := v.NeedInt("count")
	if keep < 0 {
		v.Fail(api.ParameterInvalid.Errorf("count must not be negative"))
	}
	if v.Err() != nil || a.Connections == nil {
		return api.Answer{Data: success}, v.Err()
	}
	_, err := a.Connections.MoveAll(keep, v.Text("redirectAddress"))
	return api.Answer{Data: success}, err
}

const success = "success"

// reloadClient sends one client of this node elsewhere.
func (a *API) reloadClient(r *api.Request) (api.Answer, error) {
	v := r.Values()
	id := v.Need("connectionId")
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	if a.Connections == nil {
		return api.Answer{}, api.ResourceNotFound.Errorf("there is no connection %s here", api.Short(id))
	}
	return api.Answer{Data: success}, a.Connections.Move(id, v.Text("redirectAddress"))
}

// reloadHere is what another node asks of this one.
func (a *API) reloadHere(_ context.Context, m proto.Message) (proto.Message, error) {
	asked, ok := m.(*messages.ReloadRegistryClients)
	if !ok || a.Connections == nil {
		return &messages.RegistryClientsReloaded{}, nil
	}
	sent, err := a.Connections.MoveAll(int(asked.Keep), "")
	return &messages.RegistryClientsReloaded{Sent: int32(sent)}, err
}

// smartReload has every server that has clearly more than the average send the rest
// elsewhere.
func (a *API) smartReload(r *api.Request) (api.Answer, error) {
	v := r.Values()
	factor := v.Float(defaultLoaderFactor, "loaderFactor")
	if factor < 0 {
		v.Fail(api.ParameterInvalid.Errorf("loaderFactor must not be negative"))
	}
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	load := a.load(r.Context())
	if load.Measured > 1 {
		keep := int32(load.Avg * (1 + factor))
		for _, answer := range a.Cloud.Everywhere(r.Context(), &messages.ReloadRegistryClients{Keep: keep + 1}) {
			if answer.Err != nil {
				a.Log.Debug().Str("node", answer.Node).Err(answer.Err).Msg("clients were not sent elsewhere")
			}
		}
	}
	return api.Answer{Data: success}, nil
}
