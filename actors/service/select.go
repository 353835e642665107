package service

import (
	"slices"

	"github.com/troupe-cloud/troupe/messages"
)

// Query says which endpoints a consumer wants.
type Query struct {
	Clusters         []string // empty: all
	HealthyOnly      bool
	IncludeDisabled  bool
	ProtectThreshold float64 // of the service; 0: no protection

	// Selector is the service's, parsed. Labels of an address come from LabelsOf; if
	// that is nil, a provider's labels are its metadata, and a consumer's those of
	// an endpoint here with ConsumerIP.
	Selector   Labels
	ConsumerIP string
	LabelsOf   func(ip string) map[string]string
}

// Select is who is eligible of all endpoints of a service, in the same order.
// Protected means that too few are healthy: then all are returned, shown as
// healthy, so that the few are not run down, whatever HealthyOnly says. The answer
// may be the given slice; neither it nor the endpoints may be changed.
func Select(all []*messages.Endpoint, q Query) (chosen []*messages.Endpoint, protected bool) {
	chosen = filter(all, func(e *messages.Endpoint) bool {
		return (e.Enabled || q.IncludeDisabled) && (len(q.Clusters) == 0 || slices.Contains(q.Clusters, e.Cluster))
	})
	if len(q.Selector) > 0 {
		chosen = q.labelled(all, chosen)
	}
	healthy := 0
	for _, e := range chosen {
		if e.Healthy {
			healthy++
		}
	}
	if q.ProtectThreshold > 0 && len(chosen) > 0 && float64(healthy) <= q.ProtectThreshold*float64(len(chosen)) {
		return allHealthy(chosen, healthy), true
	}
	if q.HealthyOnly && healthy < len(chosen) {
		chosen = filter(chosen, func(e *messages.Endpoint) bool { return e.Healthy })
	}
	return chosen, false
}

// labelled chooses by labels; if nobody is like the consumer, everybody.
func (q Query) labelled(all, chosen []*messages.Endpoint) []*messages.Endpoint {
	var consumer map[string]string
	if q.LabelsOf != nil {
		consumer = q.LabelsOf(q.ConsumerIP)
	} else if i := slices.IndexFunc(all, func(e *messages.Endpoint) bool { return e.Ip == q.ConsumerIP }); i >= 0 {
		consumer = all[i].Metadata
	}
	if len(consumer) == 0 {
		return chosen
	}
	like := filter(chosen, func(e *messages.Endpoint) bool {
		if q.LabelsOf != nil {
			return q.Selector.match(consumer, q.LabelsOf(e.Ip))
		}
		return q.Selector.match(consumer, e.Metadata)
	})
	if len(like) == 0 {
		return chosen
	}
	return like
}

// filter is all itself if everybody passes.
func filter(all []*messages.Endpoint, pass func(*messages.Endpoint) bool) []*messages.Endpoint {
	for i, e := range all {
		if pass(e) {
			continue
		}
		some := slices.Clone(all[:i])
		for _, e := range all[i+1:] {
			if pass(e) {
				some = append(some, e)
			}
		}
		return some
	}
	return all
}

func allHealthy(all []*messages.Endpoint, healthy int) []*messages.Endpoint {
	if healthy == len(all) {
		return all
	}
	shown := make([]*messages.Endpoint, len(all))
	for i, e := range all {
		if !e.Healthy {
			e = copyOf(e)
			e.Healthy = true
		}
		shown[i] = e
	}
	return shown
}

// copyOf is a changeable copy; what it points to is shared.
func copyOf(e *messages.Endpoint) *messages.Endpoint {
	return &messages.Endpoint{
		Ip: e.Ip, Port: e.Port, Cluster: e.Cluster, Weight: e.Weight, Enabled: e.Enabled, Healthy: e.Healthy,
		Persistent: e.Persistent, Metadata: e.Metadata, Id: e.Id, App: e.App, Owner: e.Owner,
		BeatIntervalMs: e.BeatIntervalMs, BeatTimeoutMs: e.BeatTimeoutMs, DeleteTimeoutMs: e.DeleteTimeoutMs,
		RegisteredAt: e.RegisteredAt, Dialect: e.Dialect, StatusOverride: e.StatusOverride,
		Document: e.Document, Status: e.Status, Check: e.Check,
	}
}
