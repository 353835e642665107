// Package switches decides what operators may set for all gateways of the registry
// while the cloud runs: a few named values. It acts on none of them; gateways watch
// what is set, and say what holds where nothing is.
package switches

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name, and MainID the identity of its only grain.
const (
	Kind   = "switches"
	MainID = "registry"
)

// Ref is the grain.
var Ref = actors.Ref{Kind: Kind, ID: MainID}

// The switches, as Nacos calls them.
const (
	Push      = "pushEnabled"              // changes are pushed by datagrams
	LightBeat = "lightBeatEnabled"         // beats may leave out what was said before
	Ephemeral = "defaultInstanceEphemeral" // endpoints that do not say what they are
	Status    = "overriddenServerStatus"   // what the servers say of themselves
)

// values are those that each switch can have.
var values = map[string][]string{
	Push: {"true", "false"}, LightBeat: {"true", "false"}, Ephemeral: {"true", "false"}, Status: {"UP", "DOWN"},
}

// Entries are the names of all switches, sorted.
func Entries() []string { return slices.Sorted(maps.Keys(values)) }

// State is what somebody has set. The map is replaced, never changed.
type State struct {
	Set map[string]string `json:",omitempty"`
}

// Spec is the kind.
func Spec() actors.Kind { return actors.Spec[State]{Name: Kind, Step: Step}.Kind() }

// Step decides what a message means for the switches.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.Activated, *messages.Nudged:
		return s, nil, nil
	case *messages.SetRegistrySwitch:
		return set(s, m)
	case *messages.GetRegistrySwitches:
		return s, []actors.Effect{actors.Reply{Message: &messages.RegistrySwitches{Set: s.Set}}}, nil
	}
	return s, nil, fmt.Errorf("the switches cannot take %T: %w", in.Message, messages.Invalid)
}

func set(s State, m *messages.SetRegistrySwitch) (State, []actors.Effect, error) {
	can, known := values[m.Entry]
	if !known {
		return s, nil, fmt.Errorf("there is no switch %.64q that can be set; there are %s: %w", m.Entry, strings.Join(Entries(), ", "), messages.Invalid)
	}
	if m.Value != "" && !slices.Contains(can, m.Value) {
		return s, nil, fmt.Errorf("%s cannot be %.64q, only %s: %w", m.Entry, m.Value, strings.Join(can, " or "), messages.Invalid)
	}
	next := maps.Clone(s.Set)
	if next == nil {
		next = map[string]string{}
	}
	next[m.Entry] = m.Value
	if m.Value == "" {
		delete(next, m.Entry)
	}
	s.Set = next
	return s, nil, nil
}
