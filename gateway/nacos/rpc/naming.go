package rpc

import (
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// naming is what requests about services have in common.
type naming struct {
	namespace, group, name string
	op                     string // "type"
	endpoint               *messages.Endpoint
	endpoints              []*messages.Endpoint
	clusters               string
	healthyOnly            bool
	subscribe              bool
	page, size             int64
}

// naming reads a request about a service.
func (c *call) naming(n *naming) error {
	err := c.each(func(name []byte) bool {
		switch string(name) {
		case "namespace":
			n.namespace = c.json.Text()
		case "serviceName":
			n.name = c.json.Text()
		case "groupName":
			n.group = c.json.Text()
		case "type":
			n.op = c.json.Text()
		case "instance":
			n.endpoint = c.json.InstanceLike(&c.server.same)
		case "instances":
			n.endpoints = c.instances()
		case "cluster", "clusters":
			n.clusters = c.json.Text()
		case "healthyOnly":
			n.healthyOnly = c.json.Bool(false)
		case "subscribe":
			n.subscribe = c.json.Bool(false)
		case "pageNo":
			n.page = c.json.Int(1 << 30)
		case "pageSize":
			n.size = c.json.Int(1 << 30)
		default:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	if group, bare, grouped := strings.Cut(n.name, service.Separator); grouped {
		n.group, n.name = group, bare
	}
	n.namespace, n.group = service.Namespace(n.namespace), service.Group(n.group)
	return nil
}

// instances reads a list of them; more than may be registered at once are not kept.
func (c *call) instances() (all []*messages.Endpoint) {
	if !c.json.Array() {
		return nil
	}
	for c.json.More() {
		if e := c.json.InstanceLike(&c.server.same); e != nil && len(all) <= service.MaxEndpointsPerMessage {
			all = append(all, e)
		}
	}
	return all
}

// target reads n, and is the grain of the service that it is about, if its name is one
// and the user may do that with it.
func (c *call) target(n *naming, to api.Action) (actors.Ref, error) {
	if err := c.naming(n); err != nil {
		return actors.Ref{}, err
	}
	if n.name == "" {
		return actors.Ref{}, missing("serviceName")
	}
	if err := service.Check(n.namespace, n.group, n.name); err != nil {
		return actors.Ref{}, err
	}
	if err := c.permit(to, n.resource()); err != nil {
		return actors.Ref{}, err
	}
	return service.Ref(n.namespace, n.group, n.name), nil
}

func (n *naming) resource() api.Resource {
	return api.Resource{Namespace: n.namespace, Group: n.group, Type: api.Naming, Name: n.name}
}

// prepare makes an endpoint what is registered, and checks it.
func (c *call) prepare(n *naming, e *messages.Endpoint) error {
	if a := c.conn.about; e.App == "" && a.app != "unknown" {
		e.App = a.app
	}
	wire.Finish(wire.GroupedName(n.group, n.name), e)
	return service.CheckEndpoint(e)
}

// fewEndpoints are compared with one another, which costs no memory.
const fewEndpoints = 32

// unique leaves the last of those that have one address: an owner has one for each.
// It changes the list.
func unique(all []*messages.Endpoint) []*messages.Endpoint {
	if len(all) <= fewEndpoints {
		out := all[:0]
		for _, e := range all {
			same := func(o *messages.Endpoint) bool { return o.Port == e.Port && o.Ip == e.Ip && o.Cluster == e.Cluster }
			if i := slices.IndexFunc(out, same); i >= 0 {
				out[i] = e
			} else {
				out = append(out, e)
			}
		}
		return slices.Clip(out)
	}
	type address struct {
		ip, cluster string
		port        int32
	}
	at := make(map[address]int, len(all))
	out := all[:0:0]
	for _, e := range all {
		key := address{e.Ip, e.Cluster, e.Port}
		if i, is := at[key]; is {
			out[i] = e
			continue
		}
		at[key] = len(out)
		out = append(out, e)
	}
	return out
}

// persistentInstance registers an instance that stays until it is deregistered.
func persistentInstance(c *call) error {
	var n naming
	at, err := c.target(&n, api.Write)
	if err != nil {
		return err
	}
	e := n.endpoint
	if e == nil {
		return missing("instance")
	}
	e.Persistent = true
	if err := c.prepare(&n, e); err != nil {
		return err
	}
	var do actors.Message
	switch n.op {
	case "registerInstance":
		do = &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{e}}
	case "deregisterInstance":
		key := &messages.EndpointKey{Ip: e.Ip, Port: e.Port, Cluster: e.Cluster}
		do = &messages.DeregisterEndpoints{Endpoints: []*messages.EndpointKey{key}, PersistentOnly: true}
	default:
		return unknownOp(n.op)
	}
	_, err = c.server.cfg.Cloud.Ask(c.ctx, at, do)
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_NOT_FOUND && n.op == "deregisterInstance" {
		err = nil
	}
	c.audit(n.op, n.resource(), err)
	if err != nil {
		return err
	}
	c.server.cfg.Names.Hint(registry.ServiceKind, n.namespace)
	c.ok()
	c.text(`,"type":`, n.op)
	return nil
}

// audit writes who changed what that stays, from where, and whether it was done.
func (c *call) audit(what string, on api.Resource, err error) {
	c.server.cfg.Log.Info().Str("user", c.userName()).Str("client", c.conn.ip).Str("connection", c.conn.id).
		Str("request", what).Str("namespace", on.Namespace).Str("group", on.Group).Str("name", on.Name).
		Bool("done", err == nil).Msg("audit")
}
