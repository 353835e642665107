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
func (s *Scanner) Instance() *messages.Endpoint {
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
			e.Metadata = s.TextMap()
		case "app":
			e.App = s.Text()
		default:
			s.Skip()
		}
	}
}
