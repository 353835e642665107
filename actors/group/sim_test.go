package group

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

var (
	seed = flag.Uint64("seed", 1, "of the first simulated history")
	runs = flag.Int("runs", 5, "simulated histories")
)

// world is one group, its instances and the weather, from one seed.
type world struct {
	*rand.Rand
	t     *testing.T
	now   time.Time
	kind  actors.Kind
	fault bool // messages are lost, doubled and late; machines die

	// What is committed of the group, and who holds which revision of it.
	record   *messages.Record
	rows     map[string][]byte
	revision int
	stored   State
	actives  [2]*activation

	posts     []post
	instances map[string]*machineOf
	quota     int
	content   int64 // of the config that members read when they come up
	log       []string
}

type activation struct {
	state    actors.State
	revision int
}

// post is a message under way: to the group, or a question of its.
type post struct {
	m   proto.Message
	ask *actors.Ask
}

// machineOf is what an instance and its machine are in truth.
type machineOf struct {
	vm      messages.VMState
	image   string
	host    int
	sick    bool
	hidden  bool // refused
	deletes bool
	read    int64 // of the config
}

const simHosts = 3

func (w *world) fail(format string, a ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, a...), strings.Join(w.log[max(0, len(w.log)-60):], "\n"))
}

func (w *world) logf(format string, a ...any) {
	w.log = append(w.log, w.now.Format("15:04:05.000 ")+fmt.Sprintf(format, a...))
}

// step has one of the two activations take m.
func (w *world) step(m proto.Message) {
	n := 0
	if w.fault && w.IntN(4) == 0 {
		n = 1
	}
	a := w.actives[n]
	if a == nil {
		st, err := w.kind.Open(w.record, w.rows)
		if err != nil {
			w.fail("open: %v", err)
		}
		a = &activation{st, w.revision}
		w.actives[n] = a
		w.take(n, a, &messages.Activated{})
	}
	if w.actives[n] == a {
		w.take(n, a, m)
	}
}

func (w *world) take(n int, a *activation, m proto.Message) {
	turn, err := w.kind.Step(a.state, actors.Input{ID: groupID, Now: w.now, Message: m})
	if err != nil {
		return
	}
	if turn.Changed {
		if a.revision != w.revision {
			w.actives[n] = nil // stale: it stops
			return
		}
		w.commit(turn, m)
		a.revision = w.revision
		if w.fault && w.IntN(20) == 0 { // it dies between commit and effect
			w.actives[n] = nil
			return
		}
	}
	a.state = turn.State
	for _, e := range turn.Effects {
		if e, ok := e.(actors.Ask); ok {
			w.send(post{ask: &e})
		}
	}
}

func (w *world) commit(turn actors.Turn, m proto.Message) {
	was, is := w.stored, turn.State.Value().(State)
	w.record, w.stored = &messages.Record{State: turn.State.Encoded()}, is
	w.revision++
	prefix := actors.RowPrefix(Ref(groupID))
	for _, write := range turn.Writes {
		row, ok := strings.CutPrefix(write.Key, prefix)
		switch {
		case !ok:
		case write.Value == nil:
			delete(w.rows, row)
		default:
			w.rows[row] = write.Value
		}
	}
	if len(is.Decisions) > 0 && (len(was.Decisions) == 0 || is.Decisions[0] != was.Decisions[0]) {
		w.logf("after %T: %s", m, is.Decisions[0].Text)
	}
	w.check(was, is)
}

// check holds each commit to what is promised.
func (w *world) check(was, is State) {
	c, before := is.count(), was.count()
	if most := max(int(is.Desired+is.Policy.MaxSurge), before.alive+before.going); c.alive+c.going > most && !is.Deleting {
		w.fail("%d members and %d that go, of %d and %d", c.alive, c.going, is.Desired, is.Policy.MaxSurge)
	}
	for id, m := range is.Members.All() {
		old, _ := was.Members.Get(id)
		chosen := old.Phase == InUse && m.Phase == Leaving && !m.Lost && !is.Deleting
		if chosen && c.healthy < int(is.Policy.MinHealthy) {
			w.fail("%s goes by choice, %d are left in use of at least %d", m.Name, c.healthy, is.Policy.MinHealthy)
		}
	}
	for id, m := range w.instances {
		if _, ok := is.Members.Get(id); !ok && m.vm != gone {
			w.fail("instance %s is nobody's", id)
		}
	}
}

const gone = messages.VMState_VM_STATE_DELETED

func (w *world) send(p post) {
	times := 1
	if w.fault {
		times = []int{0, 1, 1, 1, 1, 1, 1, 1, 1, 2}[w.IntN(10)]
	}
	for range times {
		w.posts = append(w.posts, p)
	}
}

// deliver has one message arrive, in weather any of those under way.
func (w *world) deliver() {
	i := 0
	if w.fault {
		i = w.IntN(len(w.posts))
	}
	p := w.posts[i]
	w.posts = slices.Delete(w.posts, i, i+1)
	if p.m != nil {
		w.step(p.m)
		return
	}
	m, err := w.reply(*p.ask)
	w.send(post{m: answerOf(*p.ask, m, err)})
}

// reply is what the one that is asked says.
func (w *world) reply(e actors.Ask) (proto.Message, error) {
	id := e.To.ID
	switch m := e.Message.(type) {
	case *messages.GetHost:
		return &messages.HostView{Facts: &messages.HostFacts{Up: !w.down(id)}}, nil
	case *messages.GetService:
		v := &messages.Service{}
		for id, i := range w.instances {
			if i.vm == active {
				v.Endpoints = append(v.Endpoints, &messages.Endpoint{Owner: "instance/" + id, Enabled: true, Healthy: !i.sick && i.image != "unwell"})
			}
		}
		return v, nil
	case *messages.GetConfigDigest:
		return &messages.ConfigDigest{Md5: fmt.Sprint(w.content), ContentVersion: w.content}, nil
	case *messages.CreateInstance:
		return w.create(id, m)
	case *messages.ActOnInstance:
		i := w.instances[id]
		if i == nil || i.hidden || i.vm == gone {
			return nil, messages.NotFound
		}
		i.deletes = true
		return &messages.Done{}, nil
	}
	i := w.instances[id]
	if i == nil || i.hidden || i.vm == gone {
		return nil, messages.NotFound
	}
	return w.viewOf(id, i), nil
}

func (w *world) viewOf(id string, i *machineOf) *messages.InstanceView {
	v := member(id, fmt.Sprint(i.host), i.vm)
	if i.deletes {
		v.TaskState = deleting
	}
	return v
}

func (w *world) create(id string, m *messages.CreateInstance) (proto.Message, error) {
	i := w.instances[id]
	switch {
	case i != nil && i.hidden:
		return nil, messages.Exhausted
	case i != nil:
		return w.viewOf(id, i), nil
	}
	used := 0
	for _, i := range w.instances {
		if i.vm != gone {
			used++
		}
	}
	if used >= w.quota {
		w.instances[id] = &machineOf{vm: gone, hidden: true}
		return nil, messages.Exhausted
	}
	if _, ok := w.stored.Members.Get(id); !ok {
		w.fail("instance %s comes to be after it was forgotten", id)
	}
	w.instances[id] = &machineOf{vm: building, image: m.Image.Id, host: w.IntN(simHosts)}
	return w.viewOf(id, w.instances[id]), nil
}

// down: the last of the hosts is, now and then.
func (w *world) down(host string) bool {
	return w.fault && host == fmt.Sprint(simHosts-1) && w.now.Unix()/600%2 == 1
}

// nature is what happens to machines by itself.
func (w *world) nature() {
	ids := make([]string, 0, len(w.instances))
	for id := range w.instances {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		i := w.instances[id]
		switch n := w.IntN(1000); {
		case i.vm == gone:
		case i.deletes && n < 300 && !w.down(fmt.Sprint(i.host)):
			i.vm = gone
		case i.vm == building && n < 200:
			i.vm, i.read = active, w.content
			if i.image == "bad" {
				i.vm = failed
			}
		case !w.fault:
			i.sick = false
		case n == 999:
			i.vm = failed
		case n == 998 && i.vm == active:
			i.vm = stopped
		case n == 997:
			i.deletes = true // by somebody
		case n >= 994:
			i.sick = !i.sick
		}
	}
}

// user orders something.
func (w *world) user() {
	var m proto.Message
	switch w.IntN(7) {
	case 6:
		w.content++
		w.logf("a user publishes content %d", w.content)
		return
	case 0, 1:
		m = &messages.UpdateGroup{Desired: proto.Int32(int32(w.IntN(7)))}
	case 2:
		m = &messages.RollbackGroup{}
	default:
		m = &messages.RollGroup{Template: wished([]string{"v1", "v2", "v3", "bad", "unwell"}[w.IntN(5)])}
	}
	w.logf("a user says %T {%v}", m, m)
	w.send(post{m: m})
}

func wished(image string) *messages.CreateInstance {
	t := template(image)
	t.Metadata = map[string]string{"troupe:service": "shop", "troupe:config": "app.yaml"}
	return t
}

// live lets the world go on for so many moments.
func (w *world) live(moments int) {
	for range moments {
		w.now = w.now.Add(time.Duration(w.IntN(400)) * time.Millisecond)
		for range min(len(w.posts), 1+w.IntN(6)+len(w.posts)/4) { // what waits does not pile up
			w.deliver()
		}
		w.nature()
		if w.fault && w.IntN(60) == 0 {
			w.user()
		}
		for _, a := range w.actives {
			if a != nil && !a.state.Wake().IsZero() && !a.state.Wake().After(w.now) {
				w.step(&messages.Woken{})
			}
		}
		if w.IntN(20) == 0 {
			w.step(&messages.Nudged{})
		}
	}
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		Rand: rand.New(rand.NewPCG(seed, 5)), t: t, now: start, kind: Spec(), fault: true, rows: map[string][]byte{},
		instances: map[string]*machineOf{}, quota: 12, content: 1,
	}
	if w.IntN(4) == 0 {
		w.quota = 5
	}
	surge, below := int32(w.IntN(3)), int32(w.IntN(3))
	c := creation(3+w.Int32N(3), &messages.GroupPolicy{MaxSurge: surge, MaxUnavailable: below, MinHealthy: w.Int32N(3), StartMs: 60_000, UnhealthyMs: 20_000, HostGraceMs: 20_000, RollOnConfig: w.IntN(2) == 0})
	c.Template = wished("v1")
	w.fault = false
	w.step(c)
	w.fault = true
	return w
}

// TestSim: whatever happens, there are never too many members, never too few by
// choice, nobody's instance, and in the end what was asked for. One seed is one
// whole history: go test ./actors/group -run TestSim -runs 1 -seed N
func TestSim(t *testing.T) {
	for n := range *runs {
		t.Run(fmt.Sprint(*seed+uint64(n)), func(t *testing.T) {
			w := newWorld(t, *seed+uint64(n))
			w.live(1200)
			w.fault, w.quota = false, 100
			w.logf("calm")
			w.actives[1] = nil
			if w.IntN(3) == 0 {
				w.send(post{m: &messages.DeleteGroup{}})
			}
			w.live(3000)
			w.rest()
		})
	}
}

// rest is how everything has to be after a calm.
func (w *world) rest() {
	running, behind := 0, 0
	for id, i := range w.instances {
		if i.vm == gone {
			continue
		}
		running++
		if i.read != w.content {
			behind++
		}
		if _, ok := w.stored.Members.Get(id); !ok {
			w.fail("instance %s is nobody's", id)
		}
	}
	switch s := w.stored; {
	case s.Gone && running == 0 && len(w.rows) == 0:
	case !s.exists():
		w.fail("gone, with %d machines and %d rows", running, len(w.rows))
	case s.status() == StatusSettled && s.Policy.RollOnConfig && behind > 0:
		w.fail("%d of %d machines have not read content %d", behind, running, w.content)
	case s.status() == StatusSettled && running == int(s.Desired) && s.count().fresh == running:
	case s.status() == StatusStopped && running == int(s.Desired) && s.count().healthy == running:
	case s.Roll == nil && s.Good == 0 || s.Roll != nil && s.Roll.Stopped != "" && s.Good == 0: // it never had a template that works
	default:
		w.fail("%s, %d machines of %d, %+v", s.status(), running, s.Desired, s.members())
	}
}
