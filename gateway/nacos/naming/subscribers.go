package naming

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// maxTold is how many listeners, or clients, one node tells another of.
const maxTold = 20_000

// sayListeners answers who listens to a service on this node.
func (a *API) sayListeners(_ context.Context, question proto.Message) (proto.Message, error) {
	q, _ := question.(*messages.GetSubscribers)
	said := &messages.Subscribers{}
	for _, c := range a.Feeds.Listeners(service.Ref(q.GetNamespace(), q.GetGroup(), q.GetName())) {
		if len(said.Subscribers) == maxTold {
			said.Truncated = true
			break
		}
		said.Subscribers = append(said.Subscribers, &messages.Subscriber{
			Client: c.Connection, Ip: c.IP, Port: int32(c.Port), Agent: c.Agent, App: c.App, Clusters: c.Clusters,
		})
	}
	return said, nil
}

// listeners are who listens to a service, on all nodes or on this one, in the order
// of their addresses. A node that does not answer is left out, unless it is this one.
func (a *API) listeners(ctx context.Context, k api.Key, everywhere bool) ([]*messages.Subscriber, error) {
	q := &messages.GetSubscribers{Namespace: k.Namespace, Group: k.Group, Name: k.Name}
	var all []*messages.Subscriber
	if everywhere {
		for _, n := range a.Cloud.Everywhere(ctx, q) {
			if said, ok := n.Answer.(*messages.Subscribers); ok {
				all = append(all, said.GetSubscribers()...)
			}
		}
	} else {
		said, err := a.sayListeners(ctx, q)
		if err != nil {
			return nil, err
		}
		all = said.(*messages.Subscribers).GetSubscribers()
	}
	slices.SortFunc(all, func(x, y *messages.Subscriber) int {
		return cmp.Or(compare(x.GetIp(), y.GetIp()), cmp.Compare(x.GetPort(), y.GetPort()), compare(x.GetClusters(), y.GetClusters()))
	})
	return all, nil
}

func addressOf(s *messages.Subscriber) string {
	return net.JoinHostPort(s.GetIp(), strconv.Itoa(int(s.GetPort())))
}

// subscriberV1 is who listens as v1 shows it.
type subscriberV1 struct {
	AddrStr     string `json:"addrStr"`
	Agent       string `json:"agent"`
	App         string `json:"app"`
	IP          string `json:"ip"`
	Port        int32  `json:"port"`
	NamespaceID string `json:"namespaceId"`
	ServiceName string `json:"serviceName"`
	Cluster     string `json:"cluster"`
}

// subscriberV3 is the same as v3 shows it.
type subscriberV3 struct {
	NamespaceID string `json:"namespaceId"`
	GroupName   string `json:"groupName"`
	ServiceName string `json:"serviceName"`
	IP          string `json:"ip"`
	Port        int32  `json:"port"`
	Agent       string `json:"agent"`
	AppName     string `json:"appName"`
}

// asked is a page of who listens to the service of the request.
func (a *API) asked(r *api.Request, v *api.Values, p api.Page) (api.Key, api.Paged[*messages.Subscriber], error) {
	var none api.Paged[*messages.Subscriber]
	everywhere := v.Bool(true, "aggregation")
	k, err := r.ServiceKey()
	if err == nil {
		err = v.Err()
	}
	if err != nil {
		return k, none, err
	}
	all, err := a.listeners(r.Context(), k, everywhere)
	return k, api.Cut(all, p), err
}

func (a *API) subscribersV1(r *api.Request) (api.Answer, error) {
	v := r.Values()
	k, page, err := a.asked(r, v, wide(v, 1000))
	if err != nil {
		return api.Answer{}, err
	}
	views := make([]subscriberV1, len(page.PageItems))
	for i, s := range page.PageItems {
		views[i] = subscriberV1{
			addressOf(s), s.GetAgent(), s.GetApp(), s.GetIp(), s.GetPort(), asAsked(r), grouped(k), s.GetClusters(),
		}
	}
	return api.Answer{Bare: struct {
		Subscribers []subscriberV1 `json:"subscribers"`
		Count       int            `json:"count"`
	}{views, page.TotalCount}}, nil
}

func (a *API) subscribers(r *api.Request) (api.Answer, error) {
	v := r.Values()
	p := v.Page(100)
	k, page, err := a.asked(r, v, p)
	if err != nil {
		return api.Answer{}, err
	}
	views := make([]subscriberV3, len(page.PageItems))
	for i, s := range page.PageItems {
		views[i] = subscriberV3{asAsked(r), k.Group, k.Name, s.GetIp(), s.GetPort(), s.GetAgent(), s.GetApp()}
	}
	return api.Answer{Data: api.PagedOf(views, page.TotalCount, p)}, nil
}
