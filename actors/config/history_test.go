package config

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

// TestHistory: what was replaced or removed can be had back.
func TestHistory(t *testing.T) {
	w := newWorld(t, "ns", "g", "a")
	w.must(&messages.PublishConfig{Content: "1", User: "u1", Ip: "i1", EncryptedDataKey: "k1", Labels: &messages.ConfigLabels{Type: "yaml", App: "x"}})
	w.must(&messages.PublishConfig{Content: "2", User: "u2", Ip: "i2", EncryptedDataKey: "k2", Operation: "rollback"})
	w.must(&messages.PublishConfig{Content: "g", User: "u3", Gray: Beta("1")})
	w.must(&messages.PublishConfig{Content: "h", User: "u4", Gray: Beta("2")})
	w.must(&messages.RemoveConfig{User: "u5"})
	w.must(&messages.RemoveConfig{User: "u6", GrayName: BetaName})
	w.move()
	rule1, rule2 := `{"type":"beta","version":"1.0.0","expr":"1","priority":2147483647}`, `{"type":"beta","version":"1.0.0","expr":"2","priority":2147483647}`
	for i, want := range []*messages.ConfigChange{
		{Operation: "I", Content: "1", User: "u1", Ip: "i1", EncryptedDataKey: "k1", App: "x"},
		{Operation: "U", Content: "1", User: "u2", Ip: "i2", EncryptedDataKey: "k1", App: "x", Reason: "rollback"},
		{Operation: "I", Content: "g", User: "u3", GrayName: "beta", GrayRule: rule1},
		{Operation: "U", Content: "g", User: "u4", GrayName: "beta", GrayRule: rule1, App: "x"},
		{Operation: "D", Content: "2", User: "u5", EncryptedDataKey: "k2", App: "x"},
		{Operation: "D", Content: "h", User: "u6", GrayName: "beta", GrayRule: rule2},
	} {
		want.Namespace, want.Group, want.DataId, want.Number = "ns", "g", "a", int64(i+1)
		want.Md5, want.Size, want.Type, want.ChangedAt = MD5(want.Content), int64(len(want.Content)), "yaml", w.now.UnixNano()
		got := w.must(&messages.GetConfigChange{Number: want.Number})
		if !proto.Equal(got, want) {
			t.Errorf("%d:\ngot  %v\nwant %v", i+1, got, want)
		}
		listed := &messages.ConfigChange{}
		if err := proto.Unmarshal(w.store["index/"+HistoryKey("ns", "g", "a", want.Number)], listed); err != nil {
			t.Fatal(err)
		}
		if want.Content = ""; !proto.Equal(listed, want) {
			t.Errorf("%d:\nlisted %v\nwant   %v", i+1, listed, want)
		}
	}
}

// TestOldHistoryGoes: after its time, a bounded number at a time, and also that of a
// key that is removed; numbers are not given twice.
func TestOldHistoryGoes(t *testing.T) {
	w := newWorld(t, "", "", "a")
	const many = 3*MaxRemoved + 7
	for i := range many {
		w.must(formal(fmt.Sprint(i)))
	}
	w.must(&messages.RemoveConfig{})
	lines, rows := "index/"+HistoryKeys("", "", "a"), "cold/"
	w.now = w.now.Add(HistoryKept - time.Hour)
	w.move()
	if len(w.below(lines)) != many+1 || len(w.below(rows)) != many+1 {
		t.Fatalf("%d lines, %d rows", len(w.below(lines)), len(w.below(rows)))
	}
	w.now = w.now.Add(25 * time.Hour)
	if _, err := w.step(&messages.Activated{}); err != nil {
		t.Fatal(err)
	}
	if n := len(w.below(rows)); n != many+1-MaxRemoved {
		t.Errorf("one turn leaves %d", n)
	}
	w.move() // it goes on elsewhere
	if len(w.below(lines)) != 0 || len(w.below(rows)) != 0 || len(w.store) != 1 {
		t.Errorf("left: %v", w.store)
	}
	w.must(formal("again"))
	if c := w.must(&messages.GetConfigChange{Number: many + 2}).(*messages.ConfigChange); c.Content != "again" {
		t.Error(c)
	}
}

func TestHistoryHasALimit(t *testing.T) {
	s := State{ID: ID("", "", "a"), First: 1, Last: MaxHistory, Days: []Day{{19675, 1}}}
	s = s.record(time.Unix(19675*secondsPerDay, 0), change{operation: "I"}).forgetOld(time.Unix(19675*secondsPerDay, 0))
	if s.First != 2 || s.Last != MaxHistory+1 {
		t.Errorf("%d to %d", s.First, s.Last)
	}
}
