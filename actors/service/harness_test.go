package service

import (
	"maps"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const testID = "public@@DEFAULT_GROUP@@a"

// world runs one service as the shell does: what is committed stands in a map, and
// a move forgets everything else.
type world struct {
	t     testing.TB
	kind  actors.Kind
	state actors.State
	now   time.Time
	store map[string][]byte
	turns int // commits
	last  []actors.Effect
	crash func() bool // before a commit
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, kind: Spec(), now: time.UnixMilli(1_700_000_000_000), store: map[string][]byte{}}
	w.move()
	return w
}

// move activates the service anew from what is stored.
func (w *world) move() {
	w.t.Helper()
	ref := actors.Ref{Kind: Kind, ID: testID}
	var record *messages.Record
	rows := map[string][]byte{}
	if raw, ok := w.store[actors.RecordKey(ref)]; ok {
		record = &messages.Record{State: raw}
		for k, v := range w.store {
			if row, ok := strings.CutPrefix(k, actors.RowPrefix(ref)); ok {
				rows[row] = v
			}
		}
	}
	var err error
	if w.state, err = w.kind.Open(record, rows); err != nil {
		w.t.Fatal(err)
	}
	turn, err := w.kind.Step(w.state, actors.Input{ID: testID, Now: w.now, Message: &messages.Activated{}})
	if err != nil || turn.Changed {
		w.t.Fatal("an activation commits nothing", err)
	}
	w.state, w.last = turn.State, turn.Effects
}

// step is one message; the answer is what Reply says.
func (w *world) step(m proto.Message) (proto.Message, error) {
	turn, err := w.kind.Step(w.state, actors.Input{ID: testID, Now: w.now, Message: m})
	w.last = turn.Effects
	if err != nil {
		return nil, err
	}
	if turn.Changed && w.crash != nil && w.crash() {
		w.move()
		return nil, messages.Unavailable
	}
	w.state = turn.State
	if turn.Changed {
		w.turns++
		w.store[actors.RecordKey(actors.Ref{Kind: Kind, ID: testID})] = turn.State.Encoded()
		for _, wr := range turn.Writes {
			if wr.Value == nil {
				delete(w.store, wr.Key)
			} else {
				w.store[wr.Key] = wr.Value
			}
		}
	}
	var answer proto.Message = &messages.Done{}
	for _, e := range turn.Effects {
		if r, ok := e.(actors.Reply); ok {
			answer = r.Message
		}
	}
	return answer, nil
}

func (w *world) must(m proto.Message) proto.Message {
	w.t.Helper()
	answer, err := w.step(m)
	if err != nil {
		w.t.Fatalf("%T: %v", m, err)
	}
	return answer
}

// pass lets time go by, and wakes the service whenever it wants to.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for turns := 0; ; turns++ {
		at := w.state.Wake()
		if at.IsZero() || at.After(end) {
			break
		}
		if turns > 100_000 {
			w.t.Fatalf("woken %d times in %v", turns, d)
		}
		if at.After(w.now) {
			w.now = at
		}
		w.must(&messages.Woken{})
		if next := w.state.Wake(); !next.IsZero() && !next.After(w.now) && next.Equal(at) {
			w.t.Fatalf("it wants to be woken again at once")
		}
	}
	w.now = end
}

// service is what GetService answers; nil: there is none.
func (w *world) service() *messages.Service {
	w.t.Helper()
	answer, err := w.step(&messages.GetService{})
	if err != nil {
		return nil
	}
	return answer.(*messages.Service)
}

// shown is the addresses that are shown, with a minus where one is unhealthy.
func (w *world) shown() string {
	w.t.Helper()
	s := w.service()
	if s == nil {
		return "none"
	}
	var all []string
	for _, e := range s.Endpoints {
		a := e.Ip
		if !e.Healthy {
			a = "-" + a
		}
		if !e.Enabled {
			a += "!"
		}
		all = append(all, a)
	}
	return strings.Join(all, " ")
}

// entry is the index entry; nil: there is none.
func (w *world) entry() *messages.ServiceEntry {
	w.t.Helper()
	raw, ok := w.store["index/"+IndexKey(Parse3(testID))]
	if !ok {
		return nil
	}
	e := &messages.ServiceEntry{}
	if err := proto.Unmarshal(raw, e); err != nil {
		w.t.Fatal(err)
	}
	return e
}

// Parse3 is Parse of what is known to be good.
func Parse3(id string) (namespace, group, name string) {
	namespace, group, name, err := Parse(id)
	if err != nil {
		panic(err)
	}
	return namespace, group, name
}

func endpoint(ip string) *messages.Endpoint {
	return &messages.Endpoint{Ip: ip, Port: 80, Weight: 1, Enabled: true, Healthy: true}
}

func persistent(ip string) *messages.Endpoint {
	e := endpoint(ip)
	e.Persistent = true
	return e
}

func beatKept(ips ...string) *messages.RegisterEndpoints { return owned("", ips...) }

func owned(owner string, ips ...string) *messages.RegisterEndpoints {
	m := &messages.RegisterEndpoints{Owner: owner}
	for _, ip := range ips {
		m.Endpoints = append(m.Endpoints, endpoint(ip))
	}
	return m
}

func keys(ips ...string) []*messages.EndpointKey {
	var all []*messages.EndpointKey
	for _, ip := range ips {
		all = append(all, &messages.EndpointKey{Ip: ip, Port: 80})
	}
	return all
}

func beats(ips ...string) *messages.RenewEndpoints {
	return &messages.RenewEndpoints{Keys: keys(ips...)}
}

// keep is what a member says who has registered all those.
func keep(member string, all ...*messages.RegisterEndpoints) *messages.KeepOwners {
	k := &messages.KeepOwners{Member: member}
	for _, m := range all {
		for _, e := range m.Endpoints {
			e := proto.CloneOf(e)
			e.Owner = m.Owner
			k.Checksum ^= Sum(e)
			k.Endpoints++
		}
	}
	return k
}

func cloneStore(m map[string][]byte) map[string][]byte { return maps.Clone(m) }

func input(w *world, id string, m proto.Message) actors.Input {
	return actors.Input{ID: id, Now: w.now, Message: m}
}
