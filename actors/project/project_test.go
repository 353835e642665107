package project

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func step(s State, at time.Time, m actors.Message) (State, string, error) {
	s, effects, err := Step(s, actors.Input{ID: "p", Now: at, Message: m})
	told := ""
	for _, e := range effects {
		if tell, ok := e.(actors.Tell); ok {
			told += string(tell.Message.ProtoReflect().Descriptor().Name())
			if r, ok := tell.Message.(*messages.QuotaRefused); ok {
				told += ": " + r.Reason
			}
		}
	}
	return s, told, err
}

func claimOf(id string, vcpus int32, ram int64) *messages.ClaimQuota {
	return &messages.ClaimQuota{InstanceId: id, Vcpus: vcpus, RamMib: ram}
}

// TestClaims: one row after the other on one project of 2 instances, 4 cores.
func TestClaims(t *testing.T) {
	t.Parallel()
	s := State{Limits: map[string]int64{"instances": 2, "cores": 4, "ram": 1000}}
	for _, tt := range []struct {
		name string
		m    actors.Message
		want string
		used int64 // cores, afterwards
	}{
		{"the first", claimOf("a", 1, 100), "QuotaGranted", 1},
		{"the first again counts once", claimOf("a", 1, 100), "QuotaGranted", 1},
		{"too many cores", claimOf("b", 4, 100), "QuotaRefused: Quota exceeded for cores: Requested 4, but already used 1 of 4 cores", 1},
		{"too much memory", claimOf("b", 1, 901), "QuotaRefused: Quota exceeded for ram", 1},
		{"to the last core", claimOf("b", 3, 900), "QuotaGranted", 4},
		{"too many instances", claimOf("c", 0, 0), "QuotaRefused: Quota exceeded for instances", 4},
		{"one lets go", &messages.ReleaseQuota{InstanceId: "a"}, "QuotaReleased", 3},
		{"letting go twice", &messages.ReleaseQuota{InstanceId: "a"}, "QuotaReleased", 3},
		{"a late claim of who let go", claimOf("a", 1, 100), "", 3},
		{"letting go what was never held", &messages.ReleaseQuota{InstanceId: "z"}, "QuotaReleased", 3},
		{"the place is free", claimOf("d", 1, 100), "QuotaGranted", 4},
	} {
		var told string
		var err error
		if s, told, err = step(s, now, tt.m); err != nil || !strings.HasPrefix(told, tt.want) || (tt.want == "" && told != "") || s.Cores != tt.used {
			t.Errorf("%s: told %q, %d cores, %v; want %q, %d", tt.name, told, s.Cores, err, tt.want, tt.used)
		}
	}
}

func TestSetQuota(t *testing.T) {
	t.Parallel()
	s := State{Cores: 5}
	for name, tt := range map[string]struct {
		limits map[string]int64
		force  bool
		want   error
	}{
		"more":                   {map[string]int64{"cores": 50}, false, nil},
		"unlimited":              {map[string]int64{"cores": -1}, false, nil},
		"less than is used":      {map[string]int64{"cores": 4}, false, messages.Invalid},
		"less than used, forced": {map[string]int64{"cores": 4}, true, nil},
		"below unlimited":        {map[string]int64{"cores": -2}, true, messages.Invalid},
		"a quota there is not":   {map[string]int64{"bananas": 1}, false, messages.Invalid},
	} {
		if _, _, err := step(s, now, &messages.SetQuota{Limits: tt.limits, Force: tt.force}); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// TestGravesAreCleared: who is gone is remembered for a while, not for ever.
func TestGravesAreCleared(t *testing.T) {
	t.Parallel()
	var s State
	at := now
	for n := range 100 {
		id := strings.Repeat("x", n+1)
		s, _, _ = step(s, at, claimOf(id, 0, 0))
		s, _, _ = step(s, at, &messages.ReleaseQuota{InstanceId: id})
		at = at.Add(actors.GraveTime / 10)
	}
	if got := s.Graves.Dead.Len(); got < 10 || got > 12 || s.Graves.Line.Len() != got {
		t.Errorf("%d graves in %d lines are kept, want those of the last hour", got, s.Graves.Line.Len())
	}
}
