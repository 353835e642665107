package wire

import (
	"strconv"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/encode"
)

// CacheMillis is how long clients rely on a list before they poll again, if no
// push comes.
const CacheMillis = 10_000

// ServiceInfo is a service with those of its endpoints that were asked for.
type ServiceInfo struct {
	Name     string // GROUP@@name over HTTP, bare over gRPC
	Group    string
	Clusters string // as asked, verbatim: clients find their caches by it
	Revision int64
	Hosts    []*messages.Endpoint
	Reached  bool // so few are healthy that all are shown as if they were

	Service string // GROUP@@name, of which the hosts are
}

// Answer is the ServiceInfo of a service for a consumer at ip who asks for clusters
// (comma separated) over HTTP; bare: over gRPC. s may be nil: nobody serves. The
// revision is s's, or else that given.
func Answer(s *messages.Service, group, name, clusters string, healthyOnly bool, ip string, bare bool, revision int64) *ServiceInfo {
	info := &ServiceInfo{
		Name: name, Group: group, Clusters: clusters, Revision: revision, Service: Grouped(group, name),
	}
	if !bare {
		info.Name = info.Service
	}
	if s == nil {
		return info
	}
	info.Revision = s.GetRevision()
	labels, _ := service.ParseSelector(s.GetSelector()) // it was accepted; one that is none chooses everybody
	info.Hosts, info.Reached = service.Select(s.GetEndpoints(), service.Query{
		Clusters: SplitClusters(clusters), HealthyOnly: healthyOnly, ProtectThreshold: s.GetProtectThreshold(),
		Selector: labels, ConsumerIP: ip,
	})
	return info
}

// Render is AppendJSON into a slice of its own.
func (s *ServiceInfo) Render() []byte {
	b, _ := s.AppendJSON(make([]byte, 0, 256+400*len(s.Hosts))) // it never fails
	return b
}

// AppendJSON is encode.Appender's.
func (s *ServiceInfo) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, `{"name":`...)
	b = encode.AppendLoose(b, s.Name)
	b = append(b, `,"groupName":`...)
	b = encode.AppendLoose(b, s.Group)
	b = append(b, `,"clusters":`...)
	b = encode.AppendLoose(b, s.Clusters)
	b = append(b, `,"cacheMillis":`...)
	b = strconv.AppendInt(b, CacheMillis, 10)
	b = append(b, `,"hosts":[`...)
	for i, e := range s.Hosts {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendHost(b, s.Service, e)
	}
	b = append(b, `],"lastRefTime":`...)
	b = strconv.AppendInt(b, s.Revision, 10)
	b = append(b, `,"checksum":"","allIPs":false,"allIps":false,"reachProtectionThreshold":`...)
	b = strconv.AppendBool(b, s.Reached)
	return append(b, `,"valid":true}`...), nil
}
