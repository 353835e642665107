package service

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// full is an endpoint with something in every field.
func full(t *testing.T) *messages.Endpoint {
	e := &messages.Endpoint{}
	fields := e.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap():
			e.ProtoReflect().Mutable(f).Map().Set(protoreflect.ValueOfString("k<").MapKey(), protoreflect.ValueOfString("v\""))
		case f.Kind() == protoreflect.StringKind:
			e.ProtoReflect().Set(f, protoreflect.ValueOfString(string(f.Name())))
		case f.Kind() == protoreflect.BytesKind:
			e.ProtoReflect().Set(f, protoreflect.ValueOfBytes([]byte{0, 0xff, 'a'}))
		case f.Kind() == protoreflect.BoolKind:
			e.ProtoReflect().Set(f, protoreflect.ValueOfBool(true))
		case f.Kind() == protoreflect.DoubleKind:
			e.ProtoReflect().Set(f, protoreflect.ValueOfFloat64(0.25))
		case f.Kind() == protoreflect.Int32Kind:
			e.ProtoReflect().Set(f, protoreflect.ValueOfInt32(int32(i+1)))
		case f.Kind() == protoreflect.Int64Kind:
			e.ProtoReflect().Set(f, protoreflect.ValueOfInt64(1<<60+int64(i)))
		case f.Kind() == protoreflect.MessageKind && f.Name() == "check":
			e.Check = &messages.HealthCheck{Type: CheckHTTP, Path: "/", ExpectedCodes: []int32{200}, UseEndpointPort: true}
		default:
			t.Fatalf("field %s has a type that nobody writes", f.Name())
		}
	}
	return e
}

// TestEveryField: no field of an endpoint is forgotten where it is written, read or
// copied.
func TestEveryField(t *testing.T) {
	e := full(t)
	if !proto.Equal(copyOf(e), e) {
		t.Errorf("the copy is %v", copyOf(e))
	}
	got, err := endpointJSON{e}.AppendJSON(nil)
	if want, _ := json.Marshal(e); err != nil || string(got) != string(want) {
		t.Errorf("written is\n%s, want\n%s (%v)", got, want, err)
	}
	c := &chunk{[]*entry{{e: e, reg: copyOf(e), sum: 1<<64 - 1, at: 7, slot: 9}, {e: endpoint("x")}}}
	raw, err := c.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	back := &chunk{}
	if err := json.Unmarshal(raw, back); err != nil {
		t.Fatal(err)
	}
	for i, r := range back.entries {
		was := c.entries[i]
		if !proto.Equal(r.e, was.e) || !proto.Equal(r.reg, was.reg) || r.sum != was.sum || r.at != was.at || r.slot != was.slot {
			t.Errorf("read is %v, written was %v", r, was)
		}
	}
}

func TestKeptIsReadBack(t *testing.T) {
	s := State{kept: &kept{
		ID: testID, Exists: true, Auto: true, Persistent: true, ProtectThreshold: 0.5, Metadata: map[string]string{"a": "b"},
		Selector:  &messages.Selector{Type: SelectorLabel, Expression: "x & y"},
		Clusters:  []*messages.ServiceCluster{{Name: "c", Check: &messages.HealthCheck{Type: CheckHTTP, ExpectedCodes: []int32{200}}}},
		CreatedAt: 1 << 60, High: 1 << 50, Endpoints: 3, Healthy: 2, ClusterCount: 1, Project: "p", Evicted: []string{"i"},
	}, Graves: actors.Graves{}.Bury(actors.Grave{ID: "i"})}
	raw, err := s.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	again, _ := back.AppendJSON(nil)
	if string(again) != string(raw) || back.kept.entry.GetEndpointCount() != 3 || back.kept.name != "a" {
		t.Errorf("read is %s, written was %s", again, raw)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil || len(fields) != 16 {
		t.Errorf("%d fields are written: %v", len(fields), err)
	}
}

func TestChecksum(t *testing.T) {
	a, b := full(t), endpoint("b")
	if Checksum() != 0 || Checksum(a, b) != Checksum(b, a) || Checksum(a, b) == Checksum(a) {
		t.Error("checksums do not add up")
	}
	for name, change := range map[string]func(*messages.Endpoint){
		"owner": func(e *messages.Endpoint) { e.Owner += "x" }, "ip": func(e *messages.Endpoint) { e.Ip += "x" },
		"port": func(e *messages.Endpoint) { e.Port++ }, "cluster": func(e *messages.Endpoint) { e.Cluster += "x" },
		"weight": func(e *messages.Endpoint) { e.Weight++ }, "enabled": func(e *messages.Endpoint) { e.Enabled = false },
		"healthy": func(e *messages.Endpoint) { e.Healthy = false }, "id": func(e *messages.Endpoint) { e.Id += "x" },
		"app": func(e *messages.Endpoint) { e.App += "x" }, "interval": func(e *messages.Endpoint) { e.BeatIntervalMs++ },
		"metadata": func(e *messages.Endpoint) { e.Metadata = map[string]string{"k": "w"} },
		"keys":     func(e *messages.Endpoint) { e.Metadata = map[string]string{"kv": ""} },
	} {
		c := copyOf(a)
		change(c)
		if Sum(c) == Sum(a) {
			t.Errorf("another %s has the same sum", name)
		}
	}
	c := copyOf(a)
	c.RegisteredAt, c.Cluster, a.Cluster = 1, "", DefaultCluster
	if Sum(c) != Sum(a) {
		t.Error("what nobody said counts")
	}
}

// number is a thing whose hash is bad on purpose: many fall together in full.
type number uint64

func (n number) hash() uint64 { return uint64(n) % 97 << 57 }

// TestTrie compares with a map, and sees that what was before stays as it was.
func TestTrie(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	want, before, old := map[number]bool{}, trie[number]{}, []number{}
	var tr trie[number]
	for round := range 3000 {
		by := &token{}
		for range 1 + rng.IntN(4) {
			n := number(rng.IntN(400))
			is := func(o number) bool { return o == n }
			if _, ok := tr.get(n.hash(), is); ok != want[n] {
				t.Fatalf("%d: %v", n, ok)
			}
			switch {
			case rng.IntN(2) == 0:
				tr = tr.set(n, is, by)
				want[n] = true
			case want[n]:
				tr = tr.del(n.hash(), is, by)
				delete(want, n)
			}
		}
		if round%100 != 0 {
			continue
		}
		if got := slices.Sorted(before.all2); !slices.Equal(got, old) {
			t.Fatal("what was before was changed")
		}
		before, old = tr, slices.Sorted(tr.all2)
		if len(old) != len(want) {
			t.Fatalf("%d are held, want %d", len(old), len(want))
		}
	}
}

// all2 is all as a sequence.
func (t trie[T]) all2(yield func(T) bool) { t.all(yield) }

func TestVec(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var v, before vec[int]
	want := map[uint32]int{}
	var old map[uint32]int
	for round := range 2000 {
		by := &token{}
		for range 1 + rng.IntN(4) {
			i := uint32(rng.IntN(5000))
			v, want[i] = v.set(i, round, by), round
		}
		if round%100 == 0 {
			for i, n := range old {
				if before.get(i) != n {
					t.Fatal("what was before was changed")
				}
			}
			before, old = v, map[uint32]int{}
			for i := range uint32(5100) {
				if old[i] = v.get(i); old[i] != want[i] {
					t.Fatalf("%d holds %d, want %d", i, old[i], want[i])
				}
			}
		}
	}
}
