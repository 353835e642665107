package shape

// Placing is why a server is where it is. What names hosts is for administrators.
type Placing struct {
	At      string         `json:"decided_at"`
	Mode    string         `json:"mode"`
	Hosts   int32          `json:"hosts_asked"`
	Batch   int32          `json:"decided_together"`
	Removed []RemovedHosts `json:"removed"`
	Best    []HostScore    `json:"best"`
	Chosen  *string        `json:"chosen"` // nil: none, or not to be seen
}

// RemovedHosts is how many hosts a filter removed.
type RemovedHosts struct {
	Filter  string `json:"filter"`
	Hosts   int32  `json:"hosts"`
	Example string `json:"example,omitempty"` // of why
}

// HostScore is what the weighers made of a host.
type HostScore struct {
	Host   string        `json:"host"`
	Score  float64       `json:"score"`
	Shares []WeigherPart `json:"shares"`
}

// WeigherPart is one weigher's part of a score.
type WeigherPart struct {
	Weigher string  `json:"weigher"`
	Raw     float64 `json:"raw"`
	Share   float64 `json:"share"`
}
