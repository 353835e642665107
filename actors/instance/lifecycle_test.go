package instance

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/messages"
)

var rewrite = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func input(m actors.Message) actors.Input { return actors.Input{ID: "i1", Now: now, Message: m} }

// rested is an instance in one (vm_state, task_state), with what it would hold there.
func rested(vm messages.VMState, task messages.TaskState) State {
	s := State{
		View: &messages.InstanceView{
			Id: "i1", Name: "n", ProjectId: "p1", VmState: vm, TaskState: task, CreatedAt: 1,
			Flavor: &messages.Flavor{Vcpus: 1, RamMib: 128, DiskGib: 1}, Image: &messages.ImageRef{Sha256: "00"},
		},
		QuotaHeld: true, Attempt: 1, Order: 3, Fact: Fact{Order: 2}, Ordered: orderBuild, Doing: messages.Action_ACTION_CREATE,
		Networks: []Network{{ID: "net", Held: task != admitting, Got: task != scheduling && task != admitting}},
	}
	for a, r := range actions {
		if r.task == task {
			s.Ordered, s.Doing = r.order, a
		}
	}
	if task != admitting && task != scheduling && !(vm == failed && task == idle) {
		s.View.Host = "h1"
	}
	if task == rebuilding {
		s.Evac = &Evacuation{From: "h1", Asking: "h1", First: 1, Move: actionKey(1)}
	}
	if vm == deleted {
		s.View.Host, s.QuotaHeld, s.Networks = "", false, nil
	}
	s.History = s.History.Set(actionKey(1), &messages.ActionRecord{Action: "create", StartedAt: 1})
	s.Actions = 1
	return s
}

func everyMessage() []actors.Message {
	ended := func(order uint64, p messages.PowerState, absent bool, kind messages.ErrorKind) *messages.DomainReported {
		return &messages.DomainReported{InstanceId: "i1", Host: "h1", Order: order, Seq: 1, Ended: true, Power: p, Absent: absent, ErrorKind: kind, Error: strings.Repeat("broken", int(min(kind, 1)))}
	}
	all := []actors.Message{
		&messages.Nudged{}, &messages.GetInstance{}, &messages.UpdateInstance{Name: proto.String("m")},
		&messages.QuotaGranted{InstanceId: "i1"}, &messages.QuotaRefused{InstanceId: "i1", Reason: "too much"}, &messages.QuotaReleased{InstanceId: "i1"},
		&messages.HostChosen{InstanceId: "i1", Attempt: 1, Host: "h2"}, &messages.NoHostFound{InstanceId: "i1", Attempt: 1, Reason: "none"},
		&messages.PortsAllocated{InstanceId: "i1", NetworkId: "net", Ports: []*messages.Port{{Id: "p"}}},
		&messages.PortsRefused{InstanceId: "i1", NetworkId: "net", Reason: "full"}, &messages.PortsReleased{InstanceId: "i1", NetworkId: "net"},
		&messages.OrderAccepted{InstanceId: "i1", Order: 3, Host: "h1"}, &messages.OrderRefused{InstanceId: "i1", Order: 3, Host: "h1", Reason: "full"},
		ended(3, messages.PowerState_POWER_STATE_RUNNING, false, 0), ended(3, messages.PowerState_POWER_STATE_SHUTDOWN, false, 0),
		ended(3, 0, true, 0), ended(3, messages.PowerState_POWER_STATE_RUNNING, false, messages.ErrorKind_ERROR_KIND_INTERNAL),
		ended(2, messages.PowerState_POWER_STATE_RUNNING, false, 0),
		&messages.DomainReported{InstanceId: "i1", Host: "h1", Order: 3, Seq: 1, Power: messages.PowerState_POWER_STATE_CRASHED},
		&messages.EvacuateInstance{}, &messages.EvacuateInstance{Host: "h1"}, &messages.InstanceYielded{InstanceId: "i1", Order: 3, Host: "h1"},
		&messages.DomainFound{InstanceId: "i1", Host: "h1", Order: 3}, &messages.DomainFound{InstanceId: "i1", Host: "other", Order: 3},
	}
	all = append(all, &messages.Woken{}, wordOf(1, ""), wordOf(1, "no place"), wordOf(2, ""),
		&messages.DomainReported{InstanceId: "i1", Host: "h1", Order: 3, Seq: 2, Power: messages.PowerState_POWER_STATE_RUNNING, Followed: true},
		&messages.DomainReported{InstanceId: "i1", Host: "h1", Order: 3, Seq: 2, Power: messages.PowerState_POWER_STATE_RUNNING, Followed: true, HostDown: true},
		&messages.DomainReported{InstanceId: "i1", Host: "h1", Order: 2, Seq: 2, Power: messages.PowerState_POWER_STATE_CRASHED},
		&messages.UpdateInstance{Metadata: map[string]string{machine.ServiceKey: "api:81"}},
		&messages.UpdateInstance{Metadata: map[string]string{machine.ServiceKey: "web:x"}})
	for a := range messages.Action_name {
		if a > int32(messages.Action_ACTION_CREATE) {
			all = append(all, &messages.ActOnInstance{Action: messages.Action(a)})
		}
	}
	return all
}

func wordOf(seq uint64, refused string) *messages.EndpointAnnounced {
	return &messages.EndpointAnnounced{Service: "public@@DEFAULT_GROUP@@web", Seq: seq, Refused: refused}
}

func brief(m actors.Message) string {
	name := string(m.ProtoReflect().Descriptor().Name())
	switch m := m.(type) {
	case *messages.ActOnInstance:
		return m.Action.String()
	case *messages.DomainReported:
		name += fmt.Sprintf("(order %d ended %v %v absent %v %v)", m.Order, m.Ended, word(m.Power.String(), "POWER_STATE_"), m.Absent, m.ErrorKind != 0)
		if m.Followed {
			name += fmt.Sprintf(" followed, down %v", m.HostDown)
		}
	case *messages.EndpointAnnounced:
		name += fmt.Sprint(" ", m.Seq, strings.Repeat(" refused", min(len(m.Refused), 1)))
	case *messages.AnnounceEndpoint:
		name += fmt.Sprint(" ", m.Seq)
		if len(m.Endpoints) > 0 {
			name += fmt.Sprint(" weight ", m.Endpoints[0].Weight)
		}
	case *messages.UpdateInstance:
		name += strings.Repeat(" "+m.Metadata[machine.ServiceKey], min(len(m.Metadata), 1))
	case *messages.DomainFound:
		name += " on " + m.Host
	case *messages.EvacuateInstance:
		name += strings.Repeat(" to "+m.Host, min(len(m.Host), 1))
	case *messages.OrderHost:
		name += fmt.Sprintf("(%d %s)", m.Order, word(m.Kind.String(), "ORDER_KIND_"))
	}
	return name
}

func outcome(s State, effects []actors.Effect, err error) string {
	if err != nil {
		return "refused: " + messages.KindOf(err).String()
	}
	out := stateName(s)
	for _, e := range effects {
		switch e := e.(type) {
		case actors.Tell:
			out += fmt.Sprintf("; tell %s %s", e.To.Kind, brief(e.Message))
		case actors.Answer:
			out += "; answer " + messages.KindOf(e.Err).String()
		default:
			out += fmt.Sprintf("; %T", e)
		}
	}
	return out
}

func stateName(s State) string {
	name := word(s.View.VmState.String(), "VM_STATE_") + "/" + word(s.View.TaskState.String(), "TASK_STATE_")
	if s.View.Host != "" {
		name += "@" + s.View.Host
	}
	for _, d := range s.Said {
		switch {
		case d.Refused != "":
			name += " refused"
		case len(d.Endpoints) == 0:
			name += " leaving"
		default:
			name += fmt.Sprint(" listed with weight ", d.Endpoints[0].Weight)
		}
		if !d.Heard {
			name += "?"
		}
	}
	if s.Drain != nil {
		name += " draining"
	}
	return name
}

// states are the pairs that occur.
var states = []struct {
	vm   messages.VMState
	task []messages.TaskState
}{
	{building, []messages.TaskState{admitting, scheduling, networking, spawning, deleting}},
	{active, []messages.TaskState{idle, poweringOff, rebooting, rebootingHard, rebuilding, deleting}},
	{stopped, []messages.TaskState{idle, poweringOn, rebootingHard, deleting}},
	{failed, []messages.TaskState{idle, poweringOff, rebootingHard, deleting}},
	{deleted, []messages.TaskState{idle}},
}

// serving is an instance that a service lists; with a task, one that drains.
func serving(task messages.TaskState) State {
	s := rested(active, task)
	s.View.PowerState, s.Followed = messages.PowerState_POWER_STATE_RUNNING, "h1"
	s.View.Metadata = map[string]string{machine.ServiceKey: "web"}
	s.View.Ports = []*messages.Port{{Id: "p", Address: "10.0.0.9"}}
	if task != idle {
		s.Drain = &Drain{Until: now}
	}
	s.Said, s.Words = announcement(s), 1
	s.Said[0].Seq, s.Said[0].Heard = 1, task == idle
	return s
}

// variants are the states of one vm_state that the table has.
func variants(vm messages.VMState, tasks []messages.TaskState) []State {
	var all []State
	for _, task := range tasks {
		all = append(all, rested(vm, task))
		if vm == active {
			all = append(all, serving(task))
		}
	}
	if vm == stopped { // and has not been heard to serve no more
		s := serving(idle)
		s.View.VmState, s.View.PowerState = stopped, messages.PowerState_POWER_STATE_SHUTDOWN
		s, _ = speak(s, nil)
		all = append(all, s)
	}
	return all
}

// TestLifecycle: every state meets every message; the table is read in review.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, st := range states {
		for _, s := range variants(st.vm, st.task) {
			fmt.Fprintf(&b, "%s\n", stateName(s))
			lines := map[string]string{}
			for _, m := range everyMessage() {
				before, _ := proto.Marshal(s.View)
				next, effects, err := Step(s, input(m))
				if after, _ := proto.Marshal(s.View); string(after) != string(before) {
					t.Errorf("%s changed its input at %s", stateName(s), brief(m))
				}
				lines[brief(m)] = outcome(next, effects, err)
			}
			for _, k := range slices.Sorted(maps.Keys(lines)) {
				fmt.Fprintf(&b, "    %-75s %s\n", k, lines[k])
			}
		}
	}
	const file = "testdata/lifecycle.txt"
	if *rewrite {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("the life cycle differs from %s; go test ./actors/instance -update, and read the difference", file)
	}
}

// TestEveryActionHasARow walks the enum: an action without a row is allowed nowhere.
func TestEveryActionHasARow(t *testing.T) {
	t.Parallel()
	for n, name := range messages.Action_name {
		if _, ok := actions[messages.Action(n)]; !ok && n != 0 {
			t.Errorf("%s has no row", name)
		}
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	good := func(change func(*messages.CreateInstance)) *messages.CreateInstance {
		m := &messages.CreateInstance{
			Id: "i1", Name: "n", ProjectId: "p1", Flavor: &messages.Flavor{Vcpus: 1, RamMib: 1}, Image: &messages.ImageRef{Sha256: "00"},
		}
		change(m)
		return m
	}
	for name, tt := range map[string]struct {
		m    *messages.CreateInstance
		want error
	}{
		"a good one":           {good(func(*messages.CreateInstance) {}), nil},
		"no name":              {good(func(m *messages.CreateInstance) { m.Name = "" }), messages.Invalid},
		"a name too long":      {good(func(m *messages.CreateInstance) { m.Name = strings.Repeat("x", MaxNameChars+1) }), messages.Invalid},
		"another identity":     {good(func(m *messages.CreateInstance) { m.Id = "i2" }), messages.Invalid},
		"no image":             {good(func(m *messages.CreateInstance) { m.Image = nil }), messages.Invalid},
		"no flavor":            {good(func(m *messages.CreateInstance) { m.Flavor = nil }), messages.Invalid},
		"too much user data":   {good(func(m *messages.CreateInstance) { m.UserData = make([]byte, MaxUserDataBytes+1) }), messages.Invalid},
		"text that is no text": {good(func(m *messages.CreateInstance) { m.Description = "\xff" }), messages.Invalid},
		"an empty tag":         {good(func(m *messages.CreateInstance) { m.Tags = []string{""} }), messages.Invalid},
		"a network of no id":   {good(func(m *messages.CreateInstance) { m.Networks = []*messages.NetworkRequest{{}} }), messages.Invalid},
	} {
		if _, _, err := Step(State{}, input(tt.m)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// TestHistory: an instance tells what was done to it, step by step.
func TestHistory(t *testing.T) {
	t.Parallel()
	s, _, err := Step(State{}, input(&messages.CreateInstance{
		Id: "i1", Name: "n", ProjectId: "p1", UserId: "u", RequestId: "req-1",
		Flavor: &messages.Flavor{Vcpus: 1, RamMib: 1}, Image: &messages.ImageRef{Sha256: "00"},
	}))
	for _, m := range []actors.Message{
		&messages.QuotaGranted{}, &messages.HostChosen{Attempt: 1, Host: "h1", Decision: &messages.Decision{Chosen: "h1"}},
		&messages.DomainReported{Host: "h1", Order: 1, Seq: 1, Ended: true, Power: messages.PowerState_POWER_STATE_RUNNING},
	} {
		if err == nil {
			s, _, err = Step(s, input(m))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	a := history(s).Actions[0]
	var steps []string
	for _, e := range a.Events {
		steps = append(steps, e.Event+"="+e.Result)
	}
	if got, want := strings.Join(steps, " "), "quota=Success schedule=Success spawn=Success"; got != want || a.FinishedAt == 0 || a.RequestId != "req-1" {
		t.Errorf("got %s of %v, want %s", got, a, want)
	}
	_, effects, err := Step(s, input(&messages.GetDecision{}))
	if err != nil || effects[0].(actors.Reply).Message.(*messages.Decision).Chosen != "h1" {
		t.Errorf("the decision is not remembered: %v, %v", effects, err)
	}
}

// TestHistoryNamesTheHost: of every step that a host had a part in.
func TestHistoryNamesTheHost(t *testing.T) {
	t.Parallel()
	for _, a := range []messages.Action{
		messages.Action_ACTION_STOP, messages.Action_ACTION_REBOOT_SOFT, messages.Action_ACTION_REBOOT_HARD, messages.Action_ACTION_DELETE,
	} {
		s, _, err := Step(rested(active, idle), input(&messages.ActOnInstance{Action: a}))
		if err != nil {
			t.Fatal(err)
		}
		if e := history(s).Actions[0].Events[0]; e.Host != "h1" {
			t.Errorf("%v: %v", a, e)
		}
	}
	s := rested(building, idle).eventOn(now, "clear", "h1").event(now, "clear.done")
	if e := history(s).Actions[0].Events[0]; e.Host != "h1" || e.Result != "Success" {
		t.Errorf("a step that ended forgot its host: %v", e)
	}
}

// TestNoHostIsLeft: the fault says what the last host said.
func TestNoHostIsLeft(t *testing.T) {
	t.Parallel()
	s := rested(building, scheduling)
	s.Failed = &messages.Fault{Code: 500, Message: "the disk is full"}
	s, _, err := Step(s, input(&messages.NoHostFound{InstanceId: "i1", Attempt: 1, Reason: "No valid host was found."}))
	if want := "No valid host was found. The last one tried: the disk is full"; err != nil || s.View.Fault.GetMessage() != want {
		t.Errorf("got %v, %v, want %q", s.View.Fault, err, want)
	}
}

// TestActionStandsInTheState: the newest action stands in the state and nowhere else,
// until the next one begins; one that an older node has left in its row ends all the
// same, and is shown once.
func TestActionStandsInTheState(t *testing.T) {
	t.Parallel()
	s := rested(active, idle)
	s.Action, s.Actions, s.History = nil, 0, actors.Table[*messages.ActionRecord]{}
	s = s.begin(now, messages.Action_ACTION_STOP, &messages.ActOnInstance{RequestId: "req-1"}).event(now, "stop")
	if s.Action == nil || s.History.Len() != 0 || len(history(s).Actions) != 1 {
		t.Errorf("under way: %v in the state, %d rows, %d shown", s.Action, s.History.Len(), len(history(s).Actions))
	}
	older := s
	older.Action, older.History = nil, s.History.Set(actionKey(1), s.Action)
	for name, s := range map[string]State{"this node's": s, "an older node's": older} {
		s = s.end(now, "")
		if a := s.Action; a == nil || a.FinishedAt == 0 || a.RequestId != "req-1" || a.Events[0].Result != "Success" || len(history(s).Actions) != 1 {
			t.Errorf("%s, ended: %v in the state, %v shown", name, a, history(s))
		}
		s = s.record(&messages.ActionRecord{Action: "power-sync", FinishedAt: 1})
		row, _ := s.History.Get(actionKey(1))
		if shown := history(s).Actions; row.GetFinishedAt() == 0 || len(shown) != 2 || shown[0].Action != "power-sync" || shown[1] != row {
			t.Errorf("%s: a new entry, and the one before is %v; shown are %v", name, row, shown)
		}
	}
}

// TestFirstFormat: where an earlier version may have to go on, an entry that has ended is
// in its row, and the decision among the papers; what was written otherwise comes there.
func TestFirstFormat(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"written newly": false, "written at first": true} {
		s := rested(building, messages.TaskState_TASK_STATE_SCHEDULING)
		if !first {
			s = s.explain(&messages.Decision{Hosts: 1})
		}
		in := input(&messages.NoHostFound{InstanceId: "i1", Attempt: 1, Decision: &messages.Decision{Hosts: 2}})
		in.Format = actors.FormatFirst
		s, _, err := stepMember(s, in)
		raw, found := s.Papers.Get(decision)
		got := &messages.Decision{}
		if err != nil || !found || proto.Unmarshal(raw, got) != nil || got.Hosts != 2 || s.Why.Len() != 0 {
			t.Errorf("%s: the papers have %v, and %d rows are beside them: %v", name, got, s.Why.Len(), err)
		}
		if row, _ := s.History.Get(actionKey(s.Actions)); s.Action != nil || row.GetFinishedAt() == 0 || s.newest() != row {
			t.Errorf("%s: %v in the state, %v in the row", name, s.Action, row)
		}
	}
}

// TestHistoryIsBounded: whoever reboots for ever keeps the newest actions only.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	s := rested(active, idle)
	for range 2 * MaxActions {
		s = s.begin(now, messages.Action_ACTION_STOP, &messages.ActOnInstance{}).end(now, "")
	}
	if got := len(history(s).Actions); got != MaxActions || s.History.Len() != MaxActions-1 {
		t.Errorf("the history shows %d and keeps %d actions beside the newest, want %d", got, s.History.Len(), MaxActions)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := rested(active, idle)
	s.View.Metadata, s.View.Tags = map[string]string{"a": "1", "b": "2"}, []string{"x"}
	for name, tt := range map[string]struct {
		m    *messages.UpdateInstance
		want error
	}{
		"merge":                {&messages.UpdateInstance{Metadata: map[string]string{"c": "3"}}, nil},
		"remove what is there": {&messages.UpdateInstance{RemoveMetadata: []string{"a"}, RemoveTags: []string{"x"}}, nil},
		"remove an absent key": {&messages.UpdateInstance{RemoveMetadata: []string{"z"}}, messages.NotFound},
		"remove an absent tag": {&messages.UpdateInstance{RemoveTags: []string{"z"}}, messages.NotFound},
		"somebody else's":      {&messages.UpdateInstance{Scope: "p2"}, messages.NotFound},
		"a name too long":      {&messages.UpdateInstance{Name: proto.String(strings.Repeat("x", MaxNameChars+1))}, messages.Invalid},
		"a value too long":     {&messages.UpdateInstance{Metadata: map[string]string{"k": strings.Repeat("x", MaxMetadataChars+1)}}, messages.Invalid},
	} {
		if _, _, err := Step(s, input(tt.m)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	if len(s.View.Metadata) != 2 || len(s.View.Tags) != 1 {
		t.Error("an update changed its input")
	}
}
