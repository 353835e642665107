package configs

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// sayListeners answers who listens on this node, over whatever dialect.
func (a *API) sayListeners(_ context.Context, question proto.Message) (proto.Message, error) {
	asked, all := question.(*messages.GetConfigListeners), &messages.ConfigListeners{}
	tell := func(of actors.Ref, c registry.Client) bool {
		if len(all.Listeners) == maxListeners {
			all.Truncated = true
			return false
		}
		namespace, group, dataID, _ := config.Parse(of.ID)
		all.Listeners = append(all.Listeners, &messages.ConfigListener{Ip: c.IP, Namespace: namespace, Group: group, DataId: dataID, Md5: c.MD5})
		return true
	}
	if ip := asked.GetIp(); ip != "" {
		a.feeds.Each(registry.ConfigKind, func(of actors.Ref, c registry.Client) bool { return c.IP != ip || tell(of, c) })
		return all, nil
	}
	key := config.Ref(asked.GetNamespace(), asked.GetGroup(), asked.GetDataId())
	for _, c := range a.feeds.Listeners(key) {
		if !tell(key, c) {
			break
		}
	}
	return all, nil
}

// listeners asks every node, or with aggregation=false this one only.
func (a *API) listeners(r *api.Request, question *messages.GetConfigListeners) ([]*messages.ConfigListener, error) {
	v := r.Values()
	everywhere := v.Bool(true, "aggregation")
	if err := v.Err(); err != nil {
		return nil, err
	}
	if !everywhere {
		said, err := a.sayListeners(r.Context(), question)
		return said.(*messages.ConfigListeners).GetListeners(), err
	}
	var all []*messages.ConfigListener
	for _, node := range a.cloud.Everywhere(r.Context(), question) {
		if node.Err != nil { // who is on a node that is away will listen elsewhere soon
			a.log.Debug().Str("node", node.Node).Err(node.Err).Msg("a node did not say who listens")
			continue
		}
		if said, ok := node.Answer.(*messages.ConfigListeners); ok {
			all = append(all, said.GetListeners()...)
		}
	}
	return all, nil
}

// whoListens answers who listens to a key, by address.
func (a *API) whoListens(names api.ConfigNames) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		key, err := names.Key(r)
		if err != nil {
			return api.Answer{}, err
		}
		all, err := a.listeners(r, &messages.GetConfigListeners{Namespace: key.Namespace, Group: key.Group, DataId: key.Name})
		if err != nil {
			return api.Answer{}, err
		}
		status := map[string]string{}
		for _, l := range all {
			status[l.GetIp()] = l.GetMd5()
		}
		return listening(r, "config", status), nil
	}
}

// whatIsListened answers to which keys an address listens: those of the namespace
// that is said, of all with all=true, and otherwise of the public one; only such
// keys as the user may read.
func (a *API) whatIsListened(r *api.Request) (api.Answer, error) {
	v := r.Values()
	ip, every := v.Need("ip"), v.Bool(false, "all")
	namespace := v.Text("tenant", "namespaceId")
	if err := first(v.Err(), api.CheckNamespace(namespace)); err != nil {
		return api.Answer{}, err
	}
	all, err := a.listeners(r, &messages.GetConfigListeners{Ip: ip})
	if err != nil {
		return api.Answer{}, err
	}
	status := map[string]string{}
	for _, l := range all {
		if l.GetNamespace() != api.Namespace(namespace) && (!every || namespace != "") {
			continue
		}
		if key := (api.Key{Namespace: l.GetNamespace(), Group: l.GetGroup(), Name: l.GetDataId()}); r.User.May(api.Read, resource(key)) {
			status[groupKey(l)] = l.GetMd5()
		}
	}
	return listening(r, "ip", status), nil
}

func listening(r *api.Request, by string, status map[string]string) api.Answer {
	if r.Route.Form == api.Plain {
		return api.Answer{Bare: wire.ListenerStatus{CollectStatus: 200, Status: status}}
	}
	return api.Answer{Data: wire.ListenerInfo{QueryType: by, Status: status}}
}

var groupKeyEscapes = strings.NewReplacer("%", "%25", "+", "%2B")

// groupKey names a key in one word; the public namespace is not said.
func groupKey(l *messages.ConfigListener) string {
	s := groupKeyEscapes.Replace(l.GetDataId()) + "+" + groupKeyEscapes.Replace(l.GetGroup())
	if l.GetNamespace() != api.PublicNamespace {
		s += "+" + groupKeyEscapes.Replace(l.GetNamespace())
	}
	return s
}
