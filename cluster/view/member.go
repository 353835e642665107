package view

import "time"

// Role is a set of what a process does for the cloud.
type Role uint8

// The roles. They may be combined.
const (
	Gateway Role = 1 << iota // serves the HTTP dialects
	Control                  // hosts actors
	Compute                  // drives hypervisors
)

// Member is one process of the cluster, as it registered.
type Member struct {
	ID                    string   // of this start: unique for ever
	Name                  string   // of the node, as in --name
	Address               string   // host:port of the peer service
	API                   string   // base URL of its HTTP listener, "" without role gateway
	Roles                 Role     // what it does
	Hosts                 []string // sorted: the hypervisors it drives
	Epoch                 uint64   // index of its registration, grows for ever
	Leaving               bool     // owns nothing any more
	Version               string   // of the program
	Protocol, MinProtocol uint32   // of the peer service: newest and oldest that it speaks
	Started               time.Time
}
