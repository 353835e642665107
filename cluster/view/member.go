package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// Role is a set of what a member does.
type Role uint8

const (
	Gateway Role = 1 << iota // serves HTTP
	Control                  // runs grains that are pinned nowhere
	Compute                  // drives hypervisors

	AllRoles = Gateway | Control | Compute
)

var roleNames = []struct {
	role Role
	name string
}{{Gateway, "gateway"}, {Control, "control"}, {Compute, "compute"}}

// Has reports whether all of other is in r.
func (r Role) Has(other Role) bool { return r&other == other }

// String is the form that ParseRoles reads: "gateway,control,compute".
func (r Role) String() string {
	var names []string
	for _, n := range roleNames {
		if r.Has(n.role) {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ",")
}

// ParseRoles reads a list of roles separated by commas. An empty list and an
// unknown role are Invalid.
func ParseRoles(list string) (Role, error) {
	var r Role
	for _, word := range strings.Split(list, ",") {
		word = strings.TrimSpace(word)
		i := slices.IndexFunc(roleNames, func(n struct {
			role Role
			name string
		}) bool {
			return n.name == word
		})
		if i < 0 {
			return 0, fmt.Errorf("%q is no role, there are gateway, control and compute: %w", word, messages.Invalid)
		}
		r |= roleNames[i].role
	}
	return r, nil
}

// Member is one start of a node, as the table has it.
type Member struct {
	ID          string   // of this start: unique for ever
	Name        string   // of the node, as in --name: unique among those present
	Address     string   // host:port of the peer service
	API         string   // base URL of its HTTP listener, "" without role gateway
	Roles       Role     //
	Hosts       []string // sorted: the hypervisors it drives
	Epoch       uint64   // index of its registration, grows for ever
	Leaving     bool     // owns nothing any more, and will go
	Version     string   // of the program
	Protocol    uint32   // newest version of the peer service that it speaks
	MinProtocol uint32   // oldest
	Started     time.Time
}

// Equal reports whether nothing differs, for instance not one host.
func (m Member) Equal(o Member) bool {
	return m.ID == o.ID && m.Name == o.Name && m.Address == o.Address && m.API == o.API &&
		m.Roles == o.Roles && slices.Equal(m.Hosts, o.Hosts) && m.Epoch == o.Epoch &&
		m.Leaving == o.Leaving && m.Version == o.Version && m.Protocol == o.Protocol &&
		m.MinProtocol == o.MinProtocol && m.Started.Equal(o.Started)
}

// MaxNameBytes bounds a member's name: it stands in keys and certificates.
const MaxNameBytes = 63

// Valid says what is wrong with a member that wants to join.
func (m Member) Valid() error {
	switch {
	case m.ID == "":
		return fmt.Errorf("a member needs an id: %w", messages.Invalid)
	case !validName(m.Name):
		return fmt.Errorf("%q is no name for a node: 1 to %d letters, digits, '-', '_' and '.', "+
			"a letter or digit first: %w", m.Name, MaxNameBytes, messages.Invalid)
	case m.Address == "":
		return fmt.Errorf("member %s needs the address of its peer service: %w", m.Name, messages.Invalid)
	case m.Roles == 0 || m.Roles&^AllRoles != 0:
		return fmt.Errorf("member %s has the roles %#x: %w", m.Name, uint8(m.Roles), messages.Invalid)
	}
	return nil
}

func validName(name string) bool {
	if name == "" || len(name) > MaxNameBytes {
		return false
	}
	for i := range len(name) {
		c := name[i]
		word := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !word && (i == 0 || !strings.ContainsRune("-_.", rune(c))) {
			return false
		}
	}
	return true
}
