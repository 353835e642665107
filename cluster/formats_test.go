package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// TestFormats: while a member is of an earlier version, everybody writes what it can
// read, and for a minute after it has gone; then the newest, by which such a one may not
// join any more. What was written so stays so if one comes all the same.
func TestFormats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{}, counterKind())
		c.start("a", "b")
		older := func(name string) {
			t.Helper()
			net := c.world.Join(name, view.AllRoles)
			net.Speak(actors.FormatFirst)
			c.startOn(net, name)
			c.settle()
		}
		// write has a grain commit, and returns the format of its record.
		write := func(id string) uint32 {
			t.Helper()
			if _, err := c.all["a"].Client().Ask(t.Context(), counterRef(id), count(id)); err != nil {
				t.Fatal(err)
			}
			item, err := c.store.Get(t.Context(), actors.RecordKey(counterRef(id)))
			if err != nil {
				t.Fatal(err)
			}
			r := &messages.Record{}
			if err := proto.Unmarshal(item.Value, r); err != nil {
				t.Fatal(err)
			}
			return r.Schema
		}
		check := func(when, id string, want, peers uint32) {
			t.Helper()
			if got := write(id); got != want {
				t.Errorf("%s: %s is written in format %d, not %d", when, id, got, want)
			}
			if got := c.all["a"].OldestPeer(); got != peers {
				t.Errorf("%s: who joins has to speak %d, not %d", when, got, peers)
			}
		}
		check("all are new", "one", actors.Format, actors.Format)
		older("old")
		check("one is older", "two", actors.FormatFirst, actors.FormatFirst)
		check("one is older", "one", actors.Format, actors.FormatFirst)
		c.stop("old")
		c.settle()
		check("it has just gone", "three", actors.FormatFirst, actors.FormatFirst)
		older("old")
		time.Sleep(2 * time.Minute) // of the bubble's clock
		check("it is back", "four", actors.FormatFirst, actors.FormatFirst)
		c.stop("old")
		c.settle()
		time.Sleep(2 * time.Minute)
		check("it has gone for good", "four", actors.Format, actors.Format)
		c.close()
	})
}
