package service

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

// TestRefusals: what is refused, with which kind, and that nothing changes by it.
func TestRefusals(t *testing.T) {
	one := &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{persistent("p")}}
	many := &messages.RegisterEndpoints{Endpoints: make([]*messages.Endpoint, MaxEndpointsPerMessage+1)}
	var tooMany messages.RegisterEndpoints
	for i := range MaxPersistent + 1 {
		tooMany.Endpoints = append(tooMany.Endpoints, persistent(fmt.Sprint(i)))
	}
	bad := endpoint("x")
	bad.Weight = -1
	for name, tt := range map[string]struct {
		before, do proto.Message
		want       error
	}{
		"persistent in an ephemeral service":     {beatKept("x"), one, messages.Invalid},
		"ephemeral in a persistent service":      {one, beatKept("x"), messages.Invalid},
		"both at once":                           {nil, &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{endpoint("x"), persistent("y")}}, messages.Invalid},
		"an owner of persistent ones":            {nil, &messages.RegisterEndpoints{Owner: "m/x", Endpoints: one.Endpoints}, messages.Invalid},
		"an owner of no member":                  {nil, owned("x", "x"), messages.Invalid},
		"a bad weight":                           {nil, &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{bad}}, messages.Invalid},
		"too many":                               {nil, many, messages.Exhausted},
		"too many persistent":                    {nil, &tooMany, messages.Exhausted},
		"an update of nothing":                   {nil, &messages.UpdateEndpoints{}, messages.NotFound},
		"an update of nobody":                    {beatKept("x"), &messages.UpdateEndpoints{Keys: keys("y")}, messages.NotFound},
		"an update of the other kind":            {beatKept("x"), &messages.UpdateEndpoints{Keys: keys("x"), PersistentOnly: true}, messages.NotFound},
		"a weight of an update":                  {beatKept("x"), &messages.UpdateEndpoints{Weight: proto.Float64(MaxWeight + 1)}, messages.Invalid},
		"the health of who beats":                {beatKept("x"), &messages.UpdateEndpoints{Healthy: proto.Bool(true)}, messages.Invalid},
		"metadata of an update":                  {beatKept("x"), &messages.UpdateEndpoints{SetMetadata: map[string]string{"a": strings.Repeat("x", MaxMetadataChars)}}, messages.Invalid},
		"made twice":                             {&messages.SetService{}, &messages.SetService{Mode: messages.SetService_CREATE}, messages.Conflict},
		"changed and not there":                  {nil, &messages.SetService{Mode: messages.SetService_UPDATE}, messages.NotFound},
		"a threshold above 1":                    {nil, &messages.SetService{ProtectThreshold: proto.Float64(1.1)}, messages.Invalid},
		"a selector that cannot be read":         {nil, &messages.SetService{Selector: &messages.Selector{Type: "label", Expression: "x"}}, messages.Invalid},
		"deleted and not there":                  {nil, &messages.DeleteService{}, messages.NotFound},
		"deleted and not empty":                  {beatKept("x"), &messages.DeleteService{}, messages.Conflict},
		"a cluster of nothing":                   {nil, &messages.SetCluster{}, messages.NotFound},
		"a check that does not exist":            {&messages.SetService{}, &messages.SetCluster{Check: &messages.HealthCheck{Type: "MYSQL"}}, messages.Invalid},
		"a check with a header of two lines":     {&messages.SetService{}, &messages.SetCluster{Check: &messages.HealthCheck{Headers: "a:b\r\nc:d"}}, messages.Invalid},
		"no service":                             {nil, &messages.GetService{}, messages.NotFound},
		"a message of others":                    {nil, &messages.GetKeypair{}, messages.Invalid},
		"not refused: an empty one changes kind": {&messages.SetService{Persistent: true}, beatKept("x"), nil},
	} {
		w := newWorld(t)
		if tt.before != nil {
			w.must(tt.before)
		}
		was, stored := w.state.Value().(State).print(), len(w.store)
		_, err := w.step(tt.do)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if is := w.state.Value().(State).print(); tt.want != nil && (is != was || len(w.store) != stored) {
			t.Errorf("%s changed something:\n%s", name, is)
		}
	}
	w := newWorld(t)
	w.must(one)
	_, err := w.step(beatKept("x"))
	if want := "Current service DEFAULT_GROUP@@a is persistent service, can't register ephemeral instance."; !strings.HasPrefix(fmt.Sprint(err), want) {
		t.Errorf("the refusal is %q", err)
	}
}

// TestBadID: a grain whose name is none makes no service.
func TestBadID(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"", "a", "a@@b", "a@@b@@", "a/b@@c@@d", "a@@b@@c@@d"} {
		for _, m := range []proto.Message{beatKept("x"), &messages.SetService{}} {
			if turn, err := w.kind.Step(w.state, input(w, id, m)); !errors.Is(err, messages.Invalid) || turn.Changed {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
}

// TestSetService: what is said counts, what is not said stays; deleted, it goes, and
// its revisions go on.
func TestSetService(t *testing.T) {
	w := newWorld(t)
	w.must(&messages.SetService{Persistent: true, ProtectThreshold: proto.Float64(0.5), Metadata: map[string]string{"a": "b"}})
	w.must(&messages.SetService{Selector: &messages.Selector{Type: SelectorNone}})
	w.must(&messages.SetCluster{Cluster: "c", Metadata: map[string]string{"c": "d"}, Check: &messages.HealthCheck{Type: CheckNone}})
	w.must(&messages.SetCluster{Cluster: "c"})
	w.move()
	v := w.service()
	if v.Persistent || v.ProtectThreshold != 0.5 || v.Metadata["a"] != "b" || v.Selector.GetType() != SelectorNone {
		t.Errorf("it is %v", v)
	}
	if len(v.Clusters) != 1 || v.Clusters[0].Check.Type != CheckNone || len(v.Clusters[0].Metadata) != 0 || v.CreatedAt == 0 {
		t.Errorf("its clusters are %v", v.Clusters)
	}
	if e := w.entry(); e.GetMetadata()["a"] != "b" || e.ProtectThreshold != 0.5 || e.Group != DefaultGroup {
		t.Errorf("the index says %v", e)
	}
	w.must(&messages.SetService{MetadataSet: true})
	if v := w.service(); len(v.Metadata) != 0 {
		t.Errorf("metadata are %v", v.Metadata)
	}
	rev := w.service().Revision
	w.must(&messages.DeleteService{})
	if w.service() != nil || w.entry() != nil {
		t.Error("it is still there")
	}
	w.move()
	w.must(beatKept("x"))
	if now := w.service().Revision; now <= rev {
		t.Errorf("revision %d after %d", now, rev)
	}
}

// TestUpdate: metadata are set, removed and replaced; counts in the index follow.
func TestUpdate(t *testing.T) {
	w := newWorld(t)
	w.must(beatKept("x", "y"))
	w.must(owned("m/z", "x"))
	got := w.must(&messages.UpdateEndpoints{Keys: keys("x"), SetMetadata: map[string]string{"a": "1", "b": "2"}, StatusOverride: proto.String("DOWN")})
	if n := len(got.(*messages.EndpointsUpdated).Keys); n != 2 {
		t.Errorf("%d were updated", n)
	}
	w.must(&messages.UpdateEndpoints{Keys: keys("x"), RemoveMetadata: []string{"a"}})
	x := w.service().Endpoints[0]
	if len(x.Metadata) != 1 || x.Metadata["b"] != "2" || x.StatusOverride != "DOWN" {
		t.Errorf("x is %v", x)
	}
	w.must(&messages.UpdateEndpoints{Keys: keys("x"), ReplaceMetadata: true, SetMetadata: map[string]string{"c": "3"}})
	if x := w.service().Endpoints[0]; len(x.Metadata) != 1 || x.Metadata["c"] != "3" {
		t.Errorf("x is %v", x)
	}
	if len(w.must(&messages.UpdateEndpoints{PersistentOnly: true}).(*messages.EndpointsUpdated).Keys) != 0 {
		t.Error("who is not meant was updated")
	}
	w.pass(25 * time.Second)
	if e, v := w.entry(), w.service(); e.EndpointCount != v.EndpointCount || e.HealthyCount != v.HealthyCount || v.HealthyCount != 0 {
		t.Errorf("the index says %v of %v", e, v)
	}
}

// TestUpdateTimes: how an endpoint is kept alive counts from when it is changed, and
// who registers again as before does not undo that.
func TestUpdateTimes(t *testing.T) {
	w := newWorld(t)
	w.must(beatKept("x", "y"))
	w.pass(2 * time.Second)
	short := &messages.UpdateEndpoints{
		Keys: keys("x"), BeatIntervalMs: proto.Int64(1000), BeatTimeoutMs: proto.Int64(3000), DeleteTimeoutMs: proto.Int64(8000),
	}
	w.must(short)
	w.pass(2 * time.Second)
	if s := w.service(); s.HealthyCount != 1 || s.EndpointCount != 2 {
		t.Errorf("after 4 s: %v", s)
	}
	w.must(beatKept("x"))
	if x := w.service().Endpoints[0]; x.Ip != "x" || x.DeleteTimeoutMs != 8000 || !x.Healthy {
		t.Errorf("registered again: %v", x)
	}
	w.pass(9 * time.Second)
	if s := w.service(); s.EndpointCount != 1 || s.Endpoints[0].Ip != "y" {
		t.Errorf("after 8 s without a beat: %v", s)
	}
	w.must(&messages.UpdateEndpoints{Keys: keys("y"), BeatTimeoutMs: proto.Int64(60_000), DeleteTimeoutMs: proto.Int64(90_000)})
	w.pass(45 * time.Second)
	if s := w.service(); s.HealthyCount != 1 {
		t.Errorf("after 58 of 60 s: %v", s)
	}
	w.pass(5 * time.Second)
	if s := w.service(); s.HealthyCount != 0 || s.EndpointCount != 1 {
		t.Errorf("after 61 s: %v", s)
	}
	if _, err := w.step(&messages.UpdateEndpoints{Keys: keys("y"), BeatTimeoutMs: proto.Int64(10)}); !errors.Is(err, ErrBeat) {
		t.Errorf("a time-out of 10 ms: %v", err)
	}
}

// TestLargeService: a snapshot is written in parts, and only what changed again.
func TestLargeService(t *testing.T) {
	w := newWorld(t)
	m := &messages.RegisterEndpoints{}
	for i := range 5000 {
		m.Endpoints = append(m.Endpoints, endpoint(fmt.Sprintf("10.0.%d.%d", i/250, i%250)))
	}
	w.must(m)
	w.turns = 0
	w.pass(4 * time.Second)
	rows := len(w.store)
	const chunks = (5000 + chunkSlots - 1) / chunkSlots
	if w.turns != (chunks-1)/chunksPerSave || rows != chunks+3 { // the record, the index, and that somebody has to look after it
		t.Errorf("%d commits, %d rows of %d chunks", w.turns, rows, chunks)
	}
	w.must(&messages.DeregisterEndpoints{Endpoints: keys("10.0.0.7")})
	before := cloneStore(w.store)
	w.pass(6 * time.Second)
	changed := 0
	for k, v := range w.store {
		if string(before[k]) != string(v) {
			changed++
		}
	}
	if changed != 3 { // the record, the index and one chunk
		t.Errorf("%d rows were written for one change", changed)
	}
	w.move()
	if n := w.service().EndpointCount; n != 4999 {
		t.Errorf("%d are there after a move", n)
	}
	if bad := w.state.Value().(State).check(); bad != "" {
		t.Error(bad)
	}
}
