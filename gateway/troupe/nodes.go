package troupe

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/troupe/shape"
	"github.com/troupe-cloud/troupe/messages"
)

// statusTimeout is how long a node may take to say how it is.
const statusTimeout = 3 * time.Second

// Nodes are the processes that the cloud is made of; *cluster.Client.
type Nodes interface {
	Status(ctx context.Context) []cluster.NodeState
	Where(ctx context.Context, ref actors.Ref) (*messages.Whereabouts, error)
	DrainNode(ctx context.Context, name string) error
	LeaveNode(ctx context.Context, name string) error
}

func newNode(s cluster.NodeState) shape.Node {
	n := shape.Node{Name: s.Name, State: "silent", Hosts: []string{}, Actors: map[string]int64{}}
	if s.Err != nil {
		n.Problem = messages.Sentence(s.Err)
	}
	if s.Status == nil {
		return n
	}
	is, m := s.Status, s.Status.GetMember()
	switch {
	case m.GetLeaving():
		n.State = "leaving"
	case !is.GetLeased():
		n.State = "not leased"
	default:
		n.State = "up"
	}
	n.ID, n.Address, n.API, n.Version = m.GetId(), m.GetAddress(), m.GetApi(), m.GetVersion()
	n.Roles = view.Role(m.GetRoles()).String()
	if ms := m.GetStartedUnixMs(); ms != 0 {
		t := time.UnixMilli(ms).UTC()
		n.Started = &t
	}
	n.Hosts = append(n.Hosts, m.GetHosts()...)
	for kind, many := range is.GetActors() {
		n.Actors[kind] = many
	}
	n.Waiting, n.Held, n.Commits, n.Stale = is.GetWaiting(), is.GetHeld(), is.GetCommits(), is.GetStale()
	n.View, n.Stable, n.Lease, n.Driving = is.GetViewIndex(), is.GetStableIndex(), is.GetLeaseLeftMs(), is.GetDriving()
	return n
}

func (h handlers) listNodes(r *api.Request) (api.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), statusTimeout)
	defer cancel()
	all := []shape.Node{}
	for _, s := range h.nodes.Status(ctx) {
		all = append(all, newNode(s))
	}
	return api.Response{Body: map[string]any{"nodes": all}}, nil
}

func (h handlers) drainNode(r *api.Request) (api.Response, error) {
	return api.Response{Status: http.StatusNoContent}, h.nodes.DrainNode(r.Context(), r.PathValue("name"))
}

func (h handlers) leaveNode(r *api.Request) (api.Response, error) {
	return api.Response{Status: http.StatusAccepted}, h.nodes.LeaveNode(r.Context(), r.PathValue("name"))
}

func (h handlers) where(r *api.Request) (api.Response, error) {
	ref := actors.Ref{Kind: r.PathValue("kind"), ID: r.PathValue("id")}
	w, err := h.nodes.Where(r.Context(), ref)
	if err != nil {
		return api.Response{}, err
	}
	if w.GetNode() == "" {
		return api.Response{}, fmt.Errorf("no node runs %v now: %w", ref, messages.Unavailable)
	}
	return api.Response{Body: map[string]any{"actor": shape.Whereabouts{
		Kind: ref.Kind, ID: ref.ID, Node: w.GetNode(), Member: w.GetMemberId(), Active: w.GetActive(), Waiting: w.GetWaiting(), View: w.GetViewIndex(),
	}}}, nil
}
