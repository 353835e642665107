package naming

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// A client is a connection, or the address of an instance that lives by its beats
// or is persistent, or of one who is told by datagrams: ip:port#true or #false, for
// ephemeral and persistent.
const (
	ephemeralClient  = "#true"
	persistentClient = "#false"
)

// clientOf is the client that registered e.
func clientOf(e *messages.Endpoint) string {
	switch {
	case e.GetPersistent():
		return target(e) + persistentClient
	case e.GetOwner() == "":
		return target(e) + ephemeralClient
	}
	_, connection, _ := strings.Cut(e.GetOwner(), "/") // MEMBER/CONNECTION
	return connection
}

// isAddress says whether a client is an address, and which.
func isAddress(client string) (host string, port int, ok bool) {
	at, found := strings.CutSuffix(client, ephemeralClient)
	if !found {
		at, found = strings.CutSuffix(client, persistentClient)
	}
	i := strings.LastIndexByte(at, ':')
	if !found || i < 0 {
		return "", 0, false
	}
	port, err := strconv.Atoi(at[i+1:])
	return strings.Trim(at[:i], "[]"), port, err == nil
}

// sayClients answers who is connected to this node.
func (a *API) sayClients(_ context.Context, question proto.Message) (proto.Message, error) {
	q, _ := question.(*messages.GetRegistryClients)
	said := &messages.RegistryClients{}
	for _, here := range a.Clients {
		if q.GetId() != "" {
			if c := here.Client(q.GetId()); c != nil {
				said.Clients = append(said.Clients, c)
			}
			continue
		}
		here.Each(func(c *messages.RegistryClient) bool {
			if said.Truncated = len(said.Clients) == maxTold; !said.Truncated {
				said.Clients = append(said.Clients, c)
			}
			return !said.Truncated
		})
	}
	return said, nil
}

// connected are the clients that some node is connected to: one, or all.
func (a *API) connected(ctx context.Context, id string) []*messages.RegistryClient {
	var all []*messages.RegistryClient
	for _, n := range a.Cloud.Everywhere(ctx, &messages.GetRegistryClients{Id: id}) {
		if said, ok := n.Answer.(*messages.RegistryClients); ok {
			all = append(all, said.GetClients()...)
		}
	}
	return all
}

// find is the client of the request: what its nodes say of it, and what it
// published by its address.
func (a *API) find(r *api.Request) (*messages.RegistryClient, error) {
	id := r.Values().Text("clientId")
	if id == "" {
		return nil, api.Missing("clientId")
	}
	all := a.connected(r.Context(), id)
	var c *messages.RegistryClient
	if len(all) > 0 {
		c = all[0]
	}
	host, port, ok := isAddress(id)
	if !ok {
		if c == nil {
			return nil, unknownClient(id)
		}
		return c, nil
	}
	links, last, err := a.published(r.Context(), id)
	switch {
	case err != nil:
		return nil, err
	case c == nil && len(links) == 0:
		return nil, unknownClient(id)
	case c == nil:
		c = &messages.RegistryClient{Id: id, Ip: host, Port: int32(port), LastActive: last}
	default:
		c = proto.CloneOf(c)
	}
	c.Publishes = append(c.Publishes, links...)
	return c, nil
}

func unknownClient(id string) error {
	return api.ResourceNotFound.With(fmt.Errorf("clientId [ %s ] not exist: %w", api.Short(id), messages.NotFound))
}

// published is what a client published by its address: all services are looked at.
// Last is when it did so last, in Unix milliseconds.
func (a *API) published(ctx context.Context, id string) (links []*messages.RegistryLink, last int64, err error) {
	all, err := a.found(ctx, service.IndexPrefix, everyone)
	if err != nil {
		return nil, 0, err
	}
	services, err := a.look(ctx, all)
	if err != nil {
		return nil, 0, err
	}
	for _, s := range services {
		for _, e := range s.GetEndpoints() {
			if clientOf(e) == id {
				links = append(links, linkOf(s, e))
				last = max(last, e.GetRegisteredAt()/int64(time.Millisecond))
			}
		}
	}
	return links, last, nil
}

func linkOf(s *messages.Service, e *messages.Endpoint) *messages.RegistryLink {
	return &messages.RegistryLink{
		Namespace: s.GetNamespace(), Group: s.GetGroup(), Name: s.GetName(), Ip: e.GetIp(), Port: e.GetPort(), Cluster: e.GetCluster(),
	}
}

// clients lists the clients that are connected, and the addresses that published.
func (a *API) clients(r *api.Request) (api.Answer, error) {
	ids := []string{}
	for _, c := range a.connected(r.Context(), "") {
		ids = append(ids, c.GetId())
	}
	all, err := a.found(r.Context(), service.IndexPrefix, everyone)
	if err != nil {
		return api.Answer{}, err
	}
	services, err := a.look(r.Context(), all)
	if err != nil && !errors.Is(err, messages.Exhausted) {
		return api.Answer{}, err
	}
	for _, s := range services {
		for _, e := range s.GetEndpoints() {
			if e.GetOwner() == "" {
				ids = append(ids, clientOf(e))
			}
		}
	}
	slices.Sort(ids)
	return api.Answer{Data: slices.Compact(ids)}, nil
}

// responsible names the server for a client that beats: every node is.
func (a *API) responsible(r *api.Request) (api.Answer, error) {
	v := r.Values()
	address(v)
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	return api.Answer{Data: map[string]string{"responsibleServer": localAddr(r)}}, nil
}

func localAddr(r *api.Request) string {
	if at, ok := r.Context().Value(localAddrKey).(net.Addr); ok {
		return at.String()
	}
	return r.Host
}
