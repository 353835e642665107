// Package flavor decides what a flavor is: the sizes a server may have, who may
// see them, and the extra specs that go with them. Sizes never change once made.
// It does not know which servers use a flavor; they keep a copy of their own.
package flavor

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is the flavor's id.
const Kind = "flavor"

// IndexPrefix is what the index entries of flavors begin with; their values are
// marshalled messages.Flavor.
const IndexPrefix = "flavor/"

// MaxExtraSpecs is how many extra specs a flavor may have.
const MaxExtraSpecs = 128

// State is one flavor; without an ID there is none.
type State struct {
	ID, Name, Description                  string
	VCPUs                                  int32
	RAMMiB, DiskGiB, EphemeralGiB, SwapMiB int64
	RXTXFactor                             float64
	Public, Disabled                       bool
	ExtraSpecs                             map[string]string
	Access                                 []string // projects, sorted
}

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{Name: Kind, Step: Step, Index: index}.Kind()
}

// Step decides what a message means for a flavor.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.Activated, *messages.Nudged:
		return s, nil, nil
	case *messages.CreateFlavor:
		return create(s, in, m)
	}
	if s.ID == "" {
		return s, nil, absent(in.ID)
	}
	switch m := in.Message.(type) {
	case *messages.UpdateFlavor:
		if m.Description != nil {
			s.Description = *m.Description
		}
		return s, answer(s), nil
	case *messages.DeleteFlavor:
		return State{}, nil, nil
	case *messages.SetExtraSpecs:
		return setExtraSpecs(s, m)
	case *messages.SetFlavorAccess:
		return setAccess(s, m)
	case *messages.GetFlavor:
		if !s.visible(m.Scope) {
			return s, nil, absent(in.ID)
		}
		return s, answer(s), nil
	}
	return s, nil, fmt.Errorf("a flavor cannot take %T: %w", in.Message, messages.Invalid)
}

func absent(id string) error {
	return fmt.Errorf("flavor %s could not be found: %w", id, messages.NotFound)
}

func answer(s State) []actors.Effect { return []actors.Effect{actors.Reply{Message: view(s)}} }

func create(s State, in actors.Input, m *messages.CreateFlavor) (State, []actors.Effect, error) {
	if s.ID != "" {
		return s, nil, fmt.Errorf("flavor with ID %s already exists: %w", in.ID, messages.Conflict)
	}
	f := m.GetFlavor()
	if f.GetName() == "" || f.GetVcpus() < 1 || f.GetRamMib() < 1 ||
		f.GetDiskGib() < 0 || f.GetEphemeralGib() < 0 || f.GetSwapMib() < 0 {
		return s, nil, fmt.Errorf("a flavor has a name, at least one VCPU and 1 MiB of memory: %w", messages.Invalid)
	}
	s = State{
		ID: in.ID, Name: f.Name, Description: f.Description, VCPUs: f.Vcpus,
		RAMMiB: f.RamMib, DiskGiB: f.DiskGib, EphemeralGiB: f.EphemeralGib, SwapMiB: f.SwapMib,
		RXTXFactor: f.RxtxFactor, Public: f.Public, Disabled: f.Disabled,
		ExtraSpecs: maps.Clone(f.ExtraSpecs), Access: slices.Sorted(slices.Values(f.Access)),
	}
	if s.RXTXFactor == 0 {
		s.RXTXFactor = 1
	}
	return s, answer(s), nil
}

func setExtraSpecs(s State, m *messages.SetExtraSpecs) (State, []actors.Effect, error) {
	specs := maps.Clone(s.ExtraSpecs)
	if specs == nil {
		specs = map[string]string{}
	}
	for _, key := range m.Remove {
		if _, ok := specs[key]; !ok {
			return s, nil, fmt.Errorf("flavor %s has no extra specs with key %s: %w", s.ID, key, messages.NotFound)
		}
		delete(specs, key)
	}
	maps.Copy(specs, m.Set)
	if len(specs) > MaxExtraSpecs {
		return s, nil, fmt.Errorf("a flavor may have %d extra specs: %w", MaxExtraSpecs, messages.Exhausted)
	}
	s.ExtraSpecs = specs
	return s, answer(s), nil
}

func setAccess(s State, m *messages.SetFlavorAccess) (State, []actors.Effect, error) {
	at, has := slices.BinarySearch(s.Access, m.ProjectId)
	switch {
	case m.Remove && !has:
		return s, nil, fmt.Errorf("flavor access not found for %s / %s combination: %w", s.ID, m.ProjectId, messages.NotFound)
	case m.Remove:
		s.Access = slices.Delete(slices.Clone(s.Access), at, at+1)
	case has:
		return s, nil, fmt.Errorf("flavor access already exists for flavor %s and project %s combination: %w",
			s.ID, m.ProjectId, messages.Conflict)
	default:
		s.Access = slices.Insert(slices.Clone(s.Access), at, m.ProjectId)
	}
	return s, answer(s), nil
}

// visible says whether a project may see the flavor; "" is an operator.
func (s State) visible(project string) bool {
	return project == "" || s.Public || slices.Contains(s.Access, project)
}

func view(s State) *messages.Flavor {
	return &messages.Flavor{
		Id: s.ID, Name: s.Name, Vcpus: s.VCPUs, RamMib: s.RAMMiB, DiskGib: s.DiskGiB,
		EphemeralGib: s.EphemeralGiB, SwapMib: s.SwapMiB, RxtxFactor: s.RXTXFactor,
		Public: s.Public, Disabled: s.Disabled, Description: s.Description,
		ExtraSpecs: maps.Clone(s.ExtraSpecs), Access: slices.Clone(s.Access),
	}
}

func index(s State) []actors.Entry {
	if s.ID == "" {
		return nil
	}
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(view(s))
	if err != nil {
		panic(fmt.Sprintf("flavor %s cannot be encoded: %v", s.ID, err)) // strings were checked at the edge
	}
	return []actors.Entry{{Key: IndexPrefix + actors.Escape(s.ID), Value: value}}
}
