package service

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// State is one service. What is stored hangs below kept and in the tables; kept is
// another pointer whenever any of it differs. The rest lives in memory only and is
// made again from it by an activation.
type State struct {
	kept       *kept
	Persistent actors.Table[*entry]  // by addressKey
	Snapshot   actors.Table[*chunk]  // ephemeral endpoints as they were some seconds ago, by chunkKey
	Servers    actors.Table[*server] // what servers of the cloud have announced, by instance
	Graves     actors.Graves         // of servers that have left or were refused, by the number of their word
	live       *live                 // nil until the first message
}

// kept is what is stored of a service, but for its endpoints. Nobody changes one.
type kept struct {
	ID               string // empty: there is no service, and never was
	Exists           bool
	Auto             bool // made by a registration: it goes when it has been empty for EmptyTime
	Persistent       bool
	ProtectThreshold float64
	Metadata         map[string]string
	Selector         *messages.Selector
	Clusters         []*messages.ServiceCluster // that somebody has set, by name
	CreatedAt        int64                      // Unix nanoseconds
	Project          string                     // whose servers have made it, and alone use its name; empty: clients of the registry do

	// Evicted are the servers that were dismissed and have not said anything since: they
	// are told until they do.
	Evicted []string

	// High is above every revision that was ever told; an activation begins with it.
	High int64

	// What the index entry says of the endpoints.
	Endpoints, Healthy, ClusterCount int32

	namespace, group, name string
	entry                  *messages.ServiceEntry
}

// entry is one registration. Nobody changes one.
type entry struct {
	e    *messages.Endpoint // as it is shown
	reg  *messages.Endpoint // as it was registered, if an operator has changed it since; else nil
	sum  uint64             // of it as it was registered
	at   int64              // of the registration that said something new, Unix milliseconds
	slot uint32
}

func (r *entry) registered() *messages.Endpoint {
	if r.reg != nil {
		return r.reg
	}
	return r.e
}

// chunk is the registrations in chunkSlots slots.
type chunk struct{ entries []*entry }

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{
		Name: Kind,
		Step: Step,
		Tables: func(s *State) map[string]actors.Rows {
			return map[string]actors.Rows{
				"endpoints": &s.Persistent, "snapshot": &s.Snapshot,
				"servers": &s.Servers, "line": &s.Graves.Line, "dead": &s.Graves.Dead,
			}
		},
		Outstanding: evictions,
		Busy:        func(s State) bool { return s.kept != nil && len(s.kept.Evicted) > 0 },
		Wake:        wake,
		Keep:        needed,
		Same:        func(before, after State) bool { return before.kept == after.kept },
		Rebase:      rebase,
		Index:       index,
	}.Kind()
}

func wake(s State) time.Time {
	if s.live == nil || s.live.wake == 0 {
		return time.Time{}
	}
	return time.UnixMilli(s.live.wake)
}

// needed says whether somebody has to look after the service: endpoints that may
// die, or itself when it is empty. It looks at what is stored alone.
func needed(s State) bool {
	return s.exists() && (s.kept.Auto || s.Persistent.Len() > 0 || s.Snapshot.Len() > 0 || s.Servers.Len() > 0)
}

func index(s State) []actors.Entry {
	if !s.exists() {
		return nil
	}
	return []actors.Entry{{Key: IndexKey(s.kept.namespace, s.kept.group, s.kept.name), View: s.kept.entry}}
}

func (s State) exists() bool { return s.kept != nil && s.kept.Exists }

// change is a changeable copy of what is stored.
func (k *kept) change() *kept {
	if k == nil {
		return &kept{}
	}
	c := *k
	return &c
}

// settle makes the index entry of a changed kept, the same one if it says the same.
func (k *kept) settle() {
	if !k.Exists {
		k.entry = nil
		return
	}
	if o := k.entry; o != nil && o.Persistent == k.Persistent && o.EndpointCount == k.Endpoints && o.HealthyCount == k.Healthy &&
		o.ClusterCount == k.ClusterCount && o.ProtectThreshold == k.ProtectThreshold && sameMap(o.Metadata, k.Metadata) {
		return
	}
	k.entry = &messages.ServiceEntry{
		Namespace: k.namespace, Group: k.group, Name: k.name, Persistent: k.Persistent, EndpointCount: k.Endpoints,
		HealthyCount: k.Healthy, ClusterCount: k.ClusterCount, ProtectThreshold: k.ProtectThreshold, Metadata: k.Metadata,
	}
}

// cluster is what somebody has set for a cluster; nil: nothing.
func (k *kept) cluster(name string) *messages.ServiceCluster {
	i, ok := slices.BinarySearchFunc(k.Clusters, name, func(c *messages.ServiceCluster, name string) int {
		return cmp.Compare(c.Name, name)
	})
	if !ok {
		return nil
	}
	return k.Clusters[i]
}

// UnmarshalJSON reads what AppendJSON wrote.
func (s *State) UnmarshalJSON(raw []byte) error {
	k := &kept{}
	if err := json.Unmarshal(raw, k); err != nil {
		return err
	}
	rest := struct{ Graves actors.Graves }{}
	if err := json.Unmarshal(raw, &rest); err != nil {
		return err
	}
	s.Graves = rest.Graves
	if k.ID != "" {
		var err error
		if k.namespace, k.group, k.name, err = Parse(k.ID); err != nil {
			return err
		}
	}
	k.settle()
	s.kept = k
	return nil
}
