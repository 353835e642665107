// Package project decides what a project may still use. It owns the project's
// quota and the roster of the instances that hold a share of it. It does not
// know what the instances are doing, nor who the project's users are.
package project

import (
	"fmt"
	"maps"
	"slices"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is the project's id.
const Kind = "project"

// Unlimited as a limit takes everything.
const Unlimited = -1

// State is one project. What its instances hold stands in Roster, a row each.
type State struct {
	Limits                map[string]int64 // only those that differ from Defaults
	Instances, Cores, RAM int64            // in use; RAM in MiB
	Graves                actors.Graves
	Roster                actors.Table[Share] `json:"-"`
}

// Share is what one instance holds.
type Share struct{ Cores, RAMMiB int64 }

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{
		Name: Kind,
		Step: Step,
		Tables: func(s *State) map[string]actors.Rows {
			return map[string]actors.Rows{"roster": &s.Roster, "line": &s.Graves.Line, "dead": &s.Graves.Dead}
		},
		Table: func(s *State, name string) actors.Rows {
			if name == "roster" {
				return &s.Roster
			}
			return s.Graves.Table(name)
		},
	}.Kind()
}

// Defaults are the limits of a project that has none of its own (Nova's).
func Defaults() map[string]int64 {
	return map[string]int64{
		"instances": 10, "cores": 20, "ram": 51200, "key_pairs": 100, "metadata_items": 128,
		"server_groups": 10, "server_group_members": 10, "injected_files": 5,
		"injected_file_content_bytes": 10240, "injected_file_path_bytes": 255,
	}
}

// Step decides what a message means for a project.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.ClaimQuota:
		return claim(s, m)
	case *messages.ReleaseQuota:
		return release(s, in, m)
	case *messages.SetQuota:
		return setQuota(s, m)
	case *messages.ResetQuota:
		s.Limits = nil
		return s, nil, nil
	case *messages.GetQuota:
		return s, []actors.Effect{actors.Reply{Message: view(s)}}, nil
	case *messages.Activated, *messages.Nudged:
		return s, nil, nil
	}
	return s, nil, fmt.Errorf("a project cannot take %T: %w", in.Message, messages.Invalid)
}

func claim(s State, m *messages.ClaimQuota) (State, []actors.Effect, error) {
	granted := []actors.Effect{tell(m.InstanceId, &messages.QuotaGranted{InstanceId: m.InstanceId})}
	if _, held := s.Roster.Get(m.InstanceId); held {
		return s, granted, nil
	}
	if _, gone := s.Graves.Get(m.InstanceId); gone {
		return s, nil, nil // a late claim of an instance that has let go
	}
	if why := over(s, m); why != "" {
		return s, []actors.Effect{tell(m.InstanceId, &messages.QuotaRefused{InstanceId: m.InstanceId, Reason: why})}, nil
	}
	share := Share{int64(m.Vcpus), m.RamMib}
	s.Roster = s.Roster.Set(m.InstanceId, share)
	s.Instances, s.Cores, s.RAM = s.Instances+1, s.Cores+share.Cores, s.RAM+share.RAMMiB
	return s, granted, nil
}

// over names the limit that m would pass; "" if none.
func over(s State, m *messages.ClaimQuota) string {
	for _, r := range []struct {
		name      string
		used, ask int64
	}{
		{"instances", s.Instances, 1},
		{"cores", s.Cores, int64(m.Vcpus)},
		{"ram", s.RAM, m.RamMib},
	} {
		if limit := s.limit(r.name); limit != Unlimited && r.used+r.ask > limit {
			return fmt.Sprintf("Quota exceeded for %s: Requested %d, but already used %d of %d %s",
				r.name, r.ask, r.used, limit, r.name)
		}
	}
	return ""
}

func (s State) limit(name string) int64 {
	if l, ok := s.Limits[name]; ok {
		return l
	}
	return Defaults()[name]
}

func release(s State, in actors.Input, m *messages.ReleaseQuota) (State, []actors.Effect, error) {
	if share, held := s.Roster.Get(m.InstanceId); held {
		s.Roster = s.Roster.Delete(m.InstanceId)
		s.Instances, s.Cores, s.RAM = s.Instances-1, s.Cores-share.Cores, s.RAM-share.RAMMiB
	}
	if _, gone := s.Graves.Get(m.InstanceId); !gone {
		s.Graves = s.Graves.Bury(actors.Grave{ID: m.InstanceId, At: in.Now})
	}
	return s, []actors.Effect{tell(m.InstanceId, &messages.QuotaReleased{InstanceId: m.InstanceId})}, nil
}

func setQuota(s State, m *messages.SetQuota) (State, []actors.Effect, error) {
	used, limits := view(s).Used, maps.Clone(s.Limits)
	if limits == nil {
		limits = map[string]int64{}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Limits)) {
		limit := m.Limits[name]
		if _, known := Defaults()[name]; !known {
			return s, nil, fmt.Errorf("there is no quota named %s: %w", name, messages.Invalid)
		}
		if limit < Unlimited {
			return s, nil, fmt.Errorf("quota limit %d for %s must be -1 or greater: %w", limit, name, messages.Invalid)
		}
		if !m.Force && limit != Unlimited && limit < used[name] {
			return s, nil, fmt.Errorf("quota limit %d for %s must be greater than or equal to already used and reserved %d: %w",
				limit, name, used[name], messages.Invalid)
		}
		limits[name] = limit
	}
	s.Limits = limits
	return s, nil, nil
}

func view(s State) *messages.QuotaView {
	limits := Defaults()
	maps.Copy(limits, s.Limits)
	return &messages.QuotaView{
		Limits: limits, Defaults: Defaults(),
		Used: map[string]int64{"instances": s.Instances, "cores": s.Cores, "ram": s.RAM},
	}
}

func tell(instance string, m actors.Message) actors.Effect {
	return actors.Tell{To: actors.Ref{Kind: "instance", ID: instance}, Message: m}
}
