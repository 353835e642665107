// Package network decides what stands on one network: its subnets, its ports,
// and which address is whose. It is the only truth about an address being free.
// It does not make bridges, serve DHCP or know what an instance is doing.
package network

import (
	"fmt"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is the network's id.
const Kind = "network"

// Limits of one network.
const (
	MaxNameChars   = 255
	MaxSubnets     = 8
	MaxPorts       = 1 << 20
	MaxNameservers = 5
	MaxRequests    = 32 // ports of one instance on one network
	DefaultMTU     = 1500
	MinMTU         = 68 // RFC 791
	MaxMTU         = 65535
)

// Ref is the grain of network id.
func Ref(id string) actors.Ref { return actors.Ref{Kind: Kind, ID: id} }

// State is one network; without an ID there is none, and of a deleted one only
// ID and Deleted are left. The tables have a row for each port, for each instance
// whose ports do not follow from its id, and for each block of addresses in use.
type State struct {
	ID, Name, ProjectID, Description string
	Shared, Down, Deleted            bool
	MTU                              int32
	CreatedAt, UpdatedAt             int64
	Subnets                          []Subnet
	Graves                           actors.Graves // instances that have let go

	Ports     actors.Table[Port]     `json:"-"` // by id
	Instances actors.Table[[]string] `json:"-"` // by instance: its ports, in the order asked for; see PortsOf
	Blocks    actors.Table[block]    `json:"-"` // see pool.go
}

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{
		Name: Kind, Step: Step, Index: index, SameIndex: sameIndex, RowIndex: rowIndex,
		Tables: func(s *State) map[string]actors.Rows {
			return map[string]actors.Rows{
				portsTable: &s.Ports, "instances": &s.Instances, "blocks": &s.Blocks,
				"line": &s.Graves.Line, "dead": &s.Graves.Dead,
			}
		},
		Table: func(s *State, name string) actors.Rows {
			switch name {
			case portsTable:
				return &s.Ports
			case "instances":
				return &s.Instances
			case "blocks":
				return &s.Blocks
			}
			return s.Graves.Table(name)
		},
	}.Kind()
}

// Step decides what a message means for a network.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.Activated, *messages.Nudged:
		return s, nil, nil
	case *messages.AllocatePorts:
		return allocate(s, in, m)
	case *messages.ReleasePorts:
		return release(s, in, m)
	case *messages.CreateNetwork:
		return create(s, in, m)
	}
	if !s.exists() {
		return s, nil, absent(in.ID)
	}
	switch m := in.Message.(type) {
	case *messages.GetNetwork:
		return get(s, m)
	case *messages.UpdateNetwork:
		return update(s, in, m)
	case *messages.DeleteNetwork:
		return remove(s, m)
	case *messages.CreateSubnet:
		return createSubnet(s, in, m)
	case *messages.UpdateSubnet:
		return updateSubnet(s, in, m)
	case *messages.DeleteSubnet:
		return deleteSubnet(s, in, m)
	case *messages.CreatePort:
		return createPort(s, in, m)
	case *messages.UpdatePort:
		return updatePort(s, in, m)
	case *messages.DeletePort:
		return deletePort(s, m)
	case *messages.GetPort:
		return getPort(s, m)
	}
	return s, nil, fmt.Errorf("a network cannot take %T: %w", in.Message, messages.Invalid)
}

func (s State) exists() bool { return s.ID != "" && !s.Deleted }

// visible says whether a project may know of the network.
func (s State) visible(scope string) bool {
	return scope == "" || scope == s.ProjectID || s.Shared
}

// owned refuses whoever may not change the network.
func (s State) owned(scope string) error {
	switch {
	case scope == "" || scope == s.ProjectID:
		return nil
	case s.Shared:
		return fmt.Errorf("network %s belongs to another project: %w", s.ID, messages.Denied)
	}
	return absent(s.ID)
}

func absent(id string) error {
	return fmt.Errorf("network %s could not be found: %w", id, messages.NotFound)
}

var errShared = fmt.Errorf("only an operator may share a network: %w", messages.Denied)

func create(s State, in actors.Input, m *messages.CreateNetwork) (State, []actors.Effect, error) {
	if s.ID != "" {
		return s, nil, fmt.Errorf("network %s exists already or has existed: %w", in.ID, messages.Conflict)
	}
	if m.Shared && m.Scope != "" {
		return s, nil, errShared
	}
	s = State{
		ID: in.ID, Name: m.Name, ProjectID: m.ProjectId, Description: m.Description,
		Shared: m.Shared, Down: m.AdminStateDown, MTU: m.Mtu, CreatedAt: in.Now.UnixNano(),
	}
	if s.MTU == 0 {
		s.MTU = DefaultMTU
	}
	return checked(s, in)
}

// checked accepts a new or changed network if it is within the limits.
func checked(s State, in actors.Input) (State, []actors.Effect, error) {
	if err := checkNames(s.Name, s.Description, s.ProjectID); err != nil {
		return s, nil, err
	}
	if s.MTU < MinMTU || s.MTU > MaxMTU {
		return s, nil, fmt.Errorf("an MTU is a number from %d to %d: %w", MinMTU, MaxMTU, messages.Invalid)
	}
	s.UpdatedAt = in.Now.UnixNano()
	return s, answer(s), nil
}

// checkNames accepts what people may call things.
func checkNames(names ...string) error {
	for _, n := range names {
		if !utf8.ValidString(n) || utf8.RuneCountInString(n) > MaxNameChars {
			return fmt.Errorf("names and descriptions have at most %d characters: %w", MaxNameChars, messages.Invalid)
		}
	}
	return nil
}

func get(s State, m *messages.GetNetwork) (State, []actors.Effect, error) {
	if !s.visible(m.Scope) {
		return s, nil, absent(s.ID)
	}
	return s, answer(s), nil
}

func update(s State, in actors.Input, m *messages.UpdateNetwork) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	if m.Shared != nil && *m.Shared != s.Shared && m.Scope != "" {
		return s, nil, errShared
	}
	assign(&s.Name, m.Name)
	assign(&s.Description, m.Description)
	assign(&s.Down, m.AdminStateDown)
	assign(&s.Shared, m.Shared)
	return checked(s, in)
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// remove leaves a tombstone, so that a late message makes nothing new.
func remove(s State, m *messages.DeleteNetwork) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	if n := s.Ports.Len(); n > 0 {
		return s, nil, fmt.Errorf("network %s has ports in use (%d): %w", s.ID, n, messages.Conflict)
	}
	s.Subnets, s.Deleted, s.Name, s.Description = nil, true, "", ""
	return s, nil, nil
}

func answer(s State) []actors.Effect { return []actors.Effect{actors.Reply{Message: s.view()}} }
