package console

import (
	"cmp"
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// nodesTimeout is how long another node may take to say how it is.
const nodesTimeout = 2 * time.Second

// States of a member.
const (
	up         = "UP"
	down       = "DOWN"
	suspicious = "SUSPICIOUS" // it answers, but could not work on a request
)

// memberView is a server as clients know it.
type memberView struct {
	IP       string         `json:"ip"`
	Port     int            `json:"port"`
	State    string         `json:"state"`
	Extend   map[string]any `json:"extendInfo"`
	Address  string         `json:"address"`
	Failures int            `json:"failAccessCnt"`
	Able     map[string]any `json:"abilities"`
	GRPC     bool           `json:"grpcReportEnabled"`
}

// sayNode is this node, for those that list the servers.
func (a *API) sayNode(ctx context.Context, _ proto.Message) (proto.Message, error) {
	return &messages.RegistryNode{
		Address: a.Address, Version: a.Version, Connections: int64(a.connections()), LongPolls: a.longPolls(), Ready: a.ready(ctx), Listeners: int64(a.listeners()),
	}, nil
}

// node is one gateway, as it says itself or as it was last heard of.
type node struct {
	name, state string
	*messages.RegistryNode
}

// nodesNow asks all gateways how they are. One that says nothing is shown as it was.
func (a *API) nodesNow(ctx context.Context) []node {
	ctx, cancel := context.WithTimeout(ctx, nodesTimeout)
	defer cancel()
	answers := a.Cloud.Everywhere(ctx, &messages.GetRegistryNode{})
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []node
	known := map[string]*messages.RegistryNode{}
	for _, answer := range answers {
		is, state := a.nodes[answer.Node], down
		if said, ok := answer.Answer.(*messages.RegistryNode); ok && answer.Err == nil {
			if is, state = said, up; !said.Ready {
				state = suspicious
			}
		}
		if is == nil {
			continue // it was never a gateway
		}
		known[answer.Node] = is
		all = append(all, node{answer.Node, state, is})
	}
	a.nodes = known // who has left is forgotten
	return all
}

// members are the addresses of the servers that were last heard of.
func (a *API) members() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, n := range a.nodes {
		all = append(all, n.Address)
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

func (n node) view() memberView {
	host, p, _ := net.SplitHostPort(n.Address)
	port, _ := strconv.Atoi(p)
	return memberView{
		IP: host, Port: port, State: n.state, Address: n.Address, GRPC: true,
		Extend: map[string]any{"version": Level, "troupeVersion": n.Version, "name": n.name, "readyToUpgrade": true, "supportGrayModel": true},
		Able: map[string]any{
			"remoteAbility": map[string]any{"supportRemoteConnection": true, "grpcReportEnabled": true},
			"configAbility": map[string]any{"supportRemoteMetrics": true}, "namingAbility": map[string]any{"supportJraft": false},
		},
	}
}

// listNodes lists the servers; address and keyword are parts of addresses.
func (a *API) listNodes(r *api.Request) (api.Answer, error) {
	v := r.Values()
	part, state := v.Text("address", "keyword"), strings.ToUpper(v.Text("state"))
	views := []memberView{}
	for _, n := range a.nodesNow(r.Context()) {
		if strings.Contains(n.Address, part) && (state == "" || state == n.state) {
			views = append(views, n.view())
		}
	}
	slices.SortFunc(views, func(x, y memberView) int { return cmp.Compare(x.Address, y.Address) })
	return api.Answer{Data: views}, nil
}

func (a *API) simpleNodes(r *api.Request) (api.Answer, error) {
	a.nodesNow(r.Context())
	return api.Answer{Data: a.members()}, nil
}

func (a *API) selfNode(r *api.Request) (api.Answer, error) {
	said, _ := a.sayNode(r.Context(), nil) // it has no error
	n := node{a.Name, up, said.(*messages.RegistryNode)}
	if !n.Ready {
		n.state = suspicious
	}
	return api.Answer{Data: n.view()}, nil
}

func (a *API) selfHealth(r *api.Request) (api.Answer, error) {
	if !a.ready(r.Context()) {
		return api.Answer{Data: down}, nil
	}
	return api.Answer{Data: up}, nil
}

// serverList is what clients find the servers by that are told only where to ask.
// Some of them split lines at CRLF, the others trim them.
func (a *API) serverList(r *api.Request) (api.Answer, error) {
	a.nodesNow(r.Context())
	return api.Answer{Data: strings.Join(a.members(), "\r\n") + "\r\n"}, nil
}

// switchesView is every switch: what can be set, and what holds without that.
func (a *API) switchesView() map[string]any {
	view := map[string]any{
		"name": "00-00---000-NACOS_SWITCH_DOMAIN-000---00-00", "healthCheckEnabled": true, "checkTimes": 3,
		"clientBeatInterval": 5000, "defaultPushCacheMillis": 10000, "defaultCacheMillis": 10000,
		"httpHealthParams": map[string]any{"max": 5000, "min": 500, "factor": 0.85},
		"tcpHealthParams":  map[string]any{"max": 5000, "min": 1000, "factor": 0.75},
	}
	s := a.Switches()
	maps.Copy(view, map[string]any{
		"pushEnabled": s.Push, "lightBeatEnabled": s.LightBeat, "defaultInstanceEphemeral": s.Ephemeral, "overriddenServerStatus": nil,
	})
	if s.Status != "" {
		view["overriddenServerStatus"] = s.Status
	}
	return view
}
