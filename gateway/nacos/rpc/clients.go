package rpc

import (
	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// Each calls visit for every client that is set up, without what it has to do with,
// until it returns false.
func (s *Server) Each(visit func(*messages.RegistryClient) bool) {
	for _, c := range s.all() {
		if !visit(c.tell()) {
			return
		}
	}
}

// Client is one client with what it publishes and subscribes to; nil: it is not
// here.
func (s *Server) Client(id string) *messages.RegistryClient {
	s.mu.Lock()
	c := s.conns[id]
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	told := c.tell()
	for at, endpoints := range s.cfg.Owners.Services(id) {
		for _, e := range endpoints {
			l := link(at)
			l.Ip, l.Port, l.Cluster = e.GetIp(), e.GetPort(), e.GetCluster()
			told.Publishes = append(told.Publishes, l)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.services.All() {
		l := link(key.at)
		l.Cluster = key.clusters
		told.Subscribes = append(told.Subscribes, l)
	}
	return told
}

func link(at actors.Ref) *messages.RegistryLink {
	namespace, group, name, _ := service.Parse(at.ID)
	return &messages.RegistryLink{Namespace: namespace, Group: group, Name: name}
}

func (c *conn) tell() *messages.RegistryClient {
	a := c.about
	return &messages.RegistryClient{
		Id: c.id, Ip: c.ip, Port: int32(c.port), Agent: a.version, Version: a.version, App: a.app,
		ConnectType: "GRPC", LastActive: c.active.Load(),
	}
}
