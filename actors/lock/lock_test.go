package lock

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func acquired(owner string, seconds int64) *messages.AcquireLock {
	return &messages.AcquireLock{Owner: owner, TtlMs: seconds * 1000}
}

func renewed(owner string, seconds int64) *messages.AcquireLock {
	return &messages.AcquireLock{Owner: owner, TtlMs: seconds * 1000, Renew: true}
}

func TestLock(t *testing.T) { // table: one row, what is said at which second, and the last answer
	type say struct {
		at int64
		m  proto.Message
	}
	a, get := say{0, acquired("a", 10)}, func(at int64) say { return say{at, &messages.GetLock{}} }
	for name, tt := range map[string]struct {
		says []say
		want *messages.LockState
		err  error
	}{
		"free":                          {[]say{get(0)}, &messages.LockState{}, nil},
		"taken":                         {[]say{a}, &messages.LockState{Done: true, Owner: "a", Token: 1, ExpiresAt: 10e9}, nil},
		"shown":                         {[]say{a, get(5)}, &messages.LockState{Owner: "a", Token: 1, ExpiresAt: 10e9}, nil},
		"held by another":               {[]say{a, {5, acquired("b", 10)}}, &messages.LockState{Owner: "a", Token: 1, ExpiresAt: 10e9}, nil},
		"not by oneself twice":          {[]say{a, {5, acquired("a", 10)}}, &messages.LockState{Owner: "a", Token: 1, ExpiresAt: 10e9}, nil},
		"renewed":                       {[]say{a, {5, renewed("a", 10)}}, &messages.LockState{Done: true, Owner: "a", Token: 1, ExpiresAt: 15e9}, nil},
		"renewed by another":            {[]say{a, {5, renewed("b", 10)}}, &messages.LockState{Owner: "a", Token: 1, ExpiresAt: 10e9}, nil},
		"renewed too late":              {[]say{a, {10, renewed("a", 10)}}, &messages.LockState{Done: true, Owner: "a", Token: 2, ExpiresAt: 20e9}, nil},
		"expired":                       {[]say{a, get(10)}, &messages.LockState{Token: 1}, nil},
		"taken after it expired":        {[]say{a, {10, acquired("b", 10)}}, &messages.LockState{Done: true, Owner: "b", Token: 2, ExpiresAt: 20e9}, nil},
		"released":                      {[]say{a, {5, &messages.ReleaseLock{Owner: "a"}}}, &messages.LockState{Done: true, Token: 1}, nil},
		"released by anybody":           {[]say{a, {5, &messages.ReleaseLock{}}}, &messages.LockState{Done: true, Token: 1}, nil},
		"released by another":           {[]say{a, {5, &messages.ReleaseLock{Owner: "b"}}}, &messages.LockState{Owner: "a", Token: 1, ExpiresAt: 10e9}, nil},
		"released with the token":       {[]say{a, {5, &messages.ReleaseLock{Owner: "a", Token: 1}}}, &messages.LockState{Done: true, Token: 1}, nil},
		"released with another":         {[]say{a, {5, &messages.ReleaseLock{Owner: "a", Token: 2}}}, &messages.LockState{Owner: "a", Token: 1, ExpiresAt: 10e9}, nil},
		"released when it is over":      {[]say{a, {10, &messages.ReleaseLock{Owner: "a"}}}, &messages.LockState{Token: 1}, nil},
		"released when it is free":      {[]say{{0, &messages.ReleaseLock{}}}, &messages.LockState{}, nil},
		"the token grows over releases": {[]say{a, {1, &messages.ReleaseLock{}}, {2, acquired("a", 10)}}, &messages.LockState{Done: true, Owner: "a", Token: 2, ExpiresAt: 12e9}, nil},
		"no owner":                      {[]say{{0, acquired("", 10)}}, nil, messages.Invalid},
		"an owner too long":             {[]say{{0, acquired(strings.Repeat("o", MaxOwnerBytes+1), 10)}}, nil, messages.Invalid},
		"no time":                       {[]say{{0, acquired("a", 0)}}, nil, messages.Invalid},
		"the longest time":              {[]say{{0, acquired("a", 1800)}}, &messages.LockState{Done: true, Owner: "a", Token: 1, ExpiresAt: 1800e9}, nil},
		"too long a time":               {[]say{{0, acquired("a", 1801)}}, nil, messages.Invalid},
		"a message of another kind":     {[]say{{0, &messages.GetHost{}}}, nil, messages.Invalid},
	} {
		k := Spec()
		st, _ := k.Open(nil, nil)
		var answer proto.Message
		var err error
		for _, s := range tt.says {
			var turn actors.Turn
			if turn, err = k.Step(st, actors.Input{ID: ID("", "k"), Now: time.Unix(s.at, 0), Message: s.m}); err == nil {
				st, answer = turn.State, turn.Effects[0].(actors.Reply).Message
			}
		}
		if !errors.Is(err, tt.err) || err == nil && !proto.Equal(answer, tt.want) {
			t.Errorf("%s: got %v, %v; want %v", name, answer, err, tt.want)
		}
	}
}

// TestSim: whatever happens to it, one holder at a time, and tokens that grow.
func TestSim(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		k, now := Spec(), time.Unix(1000, 0)
		st, _ := k.Open(nil, nil)
		var holder string
		var until time.Time
		var token uint64
		for range 200 {
			now = now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
			owner := []string{"a", "b", "c"}[r.IntN(3)]
			var m proto.Message = &messages.AcquireLock{Owner: owner, TtlMs: 1 + r.Int64N(10_000), Renew: r.IntN(2) == 0}
			switch r.IntN(5) {
			case 0:
				m = &messages.ReleaseLock{Owner: owner}
			case 1:
				m = &messages.GetLock{}
			case 2: // it moves
				st, _ = k.Open(&messages.Record{State: st.Encoded()}, nil)
				m = &messages.Activated{}
			}
			if w := st.Wake(); !w.IsZero() && !w.After(now) && r.IntN(2) == 0 {
				m = &messages.Woken{}
			}
			turn, err := k.Step(st, actors.Input{ID: ID("", "k"), Now: now, Message: m})
			if err != nil {
				t.Fatal(seed, err)
			}
			st = turn.State
			held := holder != "" && until.After(now)
			if len(turn.Effects) == 0 {
				continue
			}
			is := turn.Effects[0].(actors.Reply).Message.(*messages.LockState)
			switch m := m.(type) {
			case *messages.AcquireLock:
				if may := !held || m.Renew && holder == owner; is.Done != may {
					t.Fatalf("seed %d: %q held until %v; at %v %v: %v", seed, holder, until, now, m, is)
				}
				if is.Done {
					if fresh := is.Token > token; fresh == held {
						t.Fatalf("seed %d: token %d after %d", seed, is.Token, token)
					}
					holder, token, until = owner, is.Token, now.Add(time.Duration(m.TtlMs)*time.Millisecond)
				}
			case *messages.ReleaseLock:
				if is.Done != (held && holder == owner) {
					t.Fatalf("seed %d: %v: %v", seed, m, is)
				}
				if is.Done {
					holder = ""
				}
			}
			if now := holder != "" && until.After(now); now && (is.Owner != holder || is.ExpiresAt != until.UnixNano()) || !now && is.Owner != "" {
				t.Fatalf("seed %d: %q holds it until %v, not %v", seed, holder, until, is)
			}
		}
	}
}

func TestWakesWhenItExpires(t *testing.T) {
	k := Spec()
	st, _ := k.Open(nil, nil)
	turn, err := k.Step(st, actors.Input{ID: ID("", "k"), Now: time.Unix(0, 0), Message: acquired("a", 10)})
	if err != nil || !turn.State.Wake().Equal(time.Unix(10, 0)) {
		t.Fatal(turn.State.Wake(), err)
	}
	turn, err = k.Step(turn.State, actors.Input{ID: ID("", "k"), Now: time.Unix(10, 0), Message: &messages.Woken{}})
	if err != nil || !turn.Changed || !turn.State.Wake().IsZero() {
		t.Error(turn, err)
	}
}

// FuzzID: what can be locked can be read back, and stands in keys that the store takes.
func FuzzID(f *testing.F) {
	f.Add("", "k")
	f.Add("ns", "a@@b/c ü")
	f.Add("n@@s", "")
	f.Add("ns", strings.Repeat("ü", 128))
	f.Fuzz(func(t *testing.T, ns, key string) {
		if err := CheckKey(ns, key); err != nil {
			if !errors.Is(err, messages.Invalid) {
				t.Errorf("%v is no refusal", err)
			}
			return
		}
		n, k, ok := Parse(ID(ns, key))
		if !ok || k != key || ID(n, k) != ID(ns, key) || len(actors.RecordKey(Ref(ns, key))) > 512 {
			t.Errorf("%q %q is read as %q %q", ns, key, n, k)
		}
	})
}
