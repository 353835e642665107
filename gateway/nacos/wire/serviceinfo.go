package wire

import (
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// DefaultCacheMillis is the period at which clients over HTTP poll a list.
const DefaultCacheMillis = 10_000

// ServiceInfo is a list of hosts as clients keep it.
type ServiceInfo struct {
	Group, Name string
	Grouped     bool                 // name is GROUP@@name, as over HTTP; else bare, as over gRPC
	Clusters    string               // as asked for, to the letter: clients key their caches by it
	CacheMillis int64                // 0: DefaultCacheMillis
	Hosts       []*messages.Endpoint // shared; not changed
	Revision    int64                // shown as lastRefTime: has to grow
	Protected   bool
}

// Choose fills in who of a service's endpoints a consumer at an address gets: of
// the clusters asked for, enabled, by its selector and protection. A nil service
// has nobody; then Revision stays as it is.
func (s *ServiceInfo) Choose(of *messages.Service, healthyOnly bool, consumer string) {
	if of == nil {
		return
	}
	labels, _ := service.ParseSelector(of.GetSelector()) // it was accepted; one that is none chooses everybody
	s.Revision = of.GetRevision()
	s.Hosts, s.Protected = service.Select(of.GetEndpoints(), service.Query{
		Clusters: SplitClusters(s.Clusters), HealthyOnly: healthyOnly, ProtectThreshold: of.GetProtectThreshold(),
		Selector: labels, ConsumerIP: consumer,
	})
}

// SplitClusters are the clusters of a list with commas; none: all.
func SplitClusters(list string) (all []string) {
	for c := range strings.SplitSeq(list, ",") {
		if c = strings.TrimSpace(c); c != "" {
			all = append(all, c)
		}
	}
	return all
}

// Append appends the JSON of s.
func (s *ServiceInfo) Append(b []byte) []byte {
	grouped := GroupedName(s.Group, s.Name)
	name := s.Name
	if s.Grouped {
		name = grouped
	}
	cache := s.CacheMillis
	if cache == 0 {
		cache = DefaultCacheMillis
	}
	b = AppendText(append(b, `{"name":`...), name)
	b = AppendText(append(b, `,"groupName":`...), s.Group)
	b = AppendText(append(b, `,"clusters":`...), s.Clusters)
	b = strconv.AppendInt(append(b, `,"cacheMillis":`...), cache, 10)
	b = AppendHosts(append(b, `,"hosts":`...), grouped, s.Hosts)
	b = strconv.AppendInt(append(b, `,"lastRefTime":`...), s.Revision, 10)
	b = append(b, `,"checksum":"","allIPs":false,"allIps":false,"reachProtectionThreshold":`...)
	b = strconv.AppendBool(b, s.Protected)
	return append(b, `,"valid":true}`...)
}

// Render is Append to nothing.
func (s *ServiceInfo) Render() []byte { return s.Append(make([]byte, 0, 256+448*len(s.Hosts))) }

// AppendHosts appends a list of endpoints of the service GROUP@@name.
func AppendHosts(b []byte, grouped string, hosts []*messages.Endpoint) []byte {
	b = append(b, '[')
	for i, e := range hosts {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendInstance(b, grouped, e)
	}
	return append(b, ']')
}
