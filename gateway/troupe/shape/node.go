package shape

import "time"

// Node is one process of the cloud, as it says itself.
type Node struct {
	Name    string           `json:"name"`
	State   string           `json:"state"` // up, leaving, not leased (it may not answer now), or silent
	Problem string           `json:"problem,omitempty"`
	ID      string           `json:"id,omitempty"`
	Address string           `json:"address,omitempty"` // of its peer service
	API     string           `json:"api,omitempty"`
	Roles   string           `json:"roles,omitempty"`
	Version string           `json:"version,omitempty"`
	Started *time.Time       `json:"started_at,omitempty"`
	Hosts   []string         `json:"hosts"`
	Actors  map[string]int64 `json:"actors"` // in memory, by kind
	Waiting int64            `json:"messages_waiting"`
	Held    int64            `json:"messages_held"` // until a hand-over ends
	Commits uint64           `json:"commits"`       // since it was started
	Stale   uint64           `json:"activations_lost"`
	View    uint64           `json:"view"`
	Stable  uint64           `json:"stable_view"`
	Lease   int64            `json:"lease_left_ms"`
	Driving int64            `json:"driver_operations"`
}

// Whereabouts is where an actor lives, whether or not there is such a one.
type Whereabouts struct {
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	Node    string `json:"node"`
	Member  string `json:"member,omitempty"`
	Active  bool   `json:"active"`            // in that node's memory
	Waiting bool   `json:"waiting,omitempty"` // until another node has let go of it
	View    uint64 `json:"view,omitempty"`
}
