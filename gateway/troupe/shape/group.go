// Package shape owns the JSON of what Troupe answers beside the APIs of others: its
// server writes it and its command line reads it. It is data only: it neither makes nor
// understands any of it. Times are RFC 3339, durations in seconds.
package shape

import "time"

// Group is a scaling group. Template, members and decisions are not in lists.
type Group struct {
	ID             string          `json:"id"`
	Name           string          `json:"name"`
	ProjectID      string          `json:"project_id"`
	UserID         string          `json:"user_id"`
	Status         string          `json:"status"`
	Reason         string          `json:"reason"`
	Desired        int32           `json:"desired"`
	Healthy        int32           `json:"healthy"`
	Lost           int32           `json:"lost"`
	MinHealthy     int32           `json:"min_healthy"`
	MaxUnavailable int32           `json:"max_unavailable"`
	MaxSurge       int32           `json:"max_surge"`
	HostGrace      float64         `json:"host_grace"`
	Unhealthy      float64         `json:"unhealthy_after"`
	Start          float64         `json:"start_within"`
	RollOnConfig   bool            `json:"roll_on_config"`
	Revision       int64           `json:"revision"`
	Good           int64           `json:"good_revision"`
	Previous       int64           `json:"previous_revision"`
	Created        time.Time       `json:"created_at"`
	Updated        time.Time       `json:"updated_at"`
	Template       *GroupTemplate  `json:"template,omitempty"`
	Members        []GroupMember   `json:"members,omitempty"`
	Decisions      []GroupDecision `json:"decisions,omitempty"`
}

// GroupTemplate is what the members are made of. References are ids.
type GroupTemplate struct {
	Flavor      string            `json:"flavor"`
	Image       string            `json:"image"`
	ImageName   string            `json:"image_name"`
	Networks    []string          `json:"networks"`
	KeyName     string            `json:"key_name"`
	Metadata    map[string]string `json:"metadata"`
	Tags        []string          `json:"tags"`
	Zone        string            `json:"availability_zone"`
	ConfigDrive bool              `json:"config_drive"`
	Description string            `json:"description"`
}

// GroupMember is one server of a group.
type GroupMember struct {
	Server    string    `json:"server_id"`
	Name      string    `json:"name"`
	Revision  int64     `json:"revision"`
	State     string    `json:"state"`
	Reason    string    `json:"reason"`
	Since     time.Time `json:"since"`
	VMState   string    `json:"vm_state"`
	Addresses []string  `json:"addresses"`
}

// GroupDecision is something that a group has decided.
type GroupDecision struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}
