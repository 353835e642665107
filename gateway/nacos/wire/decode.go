package wire

import (
	"strings"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// NewEndpoint is an endpoint with what an instance is where nobody says otherwise.
func NewEndpoint() *messages.Endpoint {
	return &messages.Endpoint{Cluster: service.DefaultCluster, Weight: 1, Enabled: true, Healthy: true, Dialect: Dialect}
}

// Instance reads an instance, with what NewEndpoint says in place of absent fields.
// Its bounds are not checked; Finish has still to be called. Nil for null.
func (s *Scanner) Instance() *messages.Endpoint { return s.InstanceLike(nil) }

// InstanceLike is Instance, and takes metadata that others have too from them; nil:
// they are its own.
func (s *Scanner) InstanceLike(others *Same) *messages.Endpoint {
	if !s.Object() {
		return nil
	}
	e := NewEndpoint()
	for {
		key, ok := s.Field()
		if !ok {
			return e
		}
		switch string(key) {
		case "ip":
			e.Ip = strings.TrimSpace(s.Text())
		case "port":
			e.Port = int32(s.Int(service.MaxPort + 1))
		case "weight":
			e.Weight = s.Float(e.Weight)
		case "healthy":
			e.Healthy = s.Bool(e.Healthy)
		case "enabled":
			e.Enabled = s.Bool(e.Enabled)
		case "ephemeral":
			e.Persistent = !s.Bool(true)
		case "clusterName":
			e.Cluster = service.Cluster(s.Text())
		case "metadata":
			if others == nil {
				e.Metadata = s.TextMap()
			} else {
				e.Metadata = others.Read(s)
			}
		case "app":
			e.App = s.Text()
		default:
			s.Skip()
		}
	}
}
