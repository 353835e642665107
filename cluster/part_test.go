package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// lister counts the lists of rows of one grain.
type lister struct {
	store.Store
	prefix string
	lists  atomic.Int64
}

func (l *lister) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, bool, error) {
	if strings.HasPrefix(prefix, l.prefix) {
		l.lists.Add(1)
	}
	return l.Store.List(ctx, prefix, after, limit)
}

// others is a node's network; left is called when the node is about to own nothing.
type others struct {
	*clustertest.Net
	left func()
}

func (o *others) Leave(ctx context.Context) error { o.left(); return o.Net.Leave(ctx) }

// parted is two nodes, of which a, which is started with kinds, is to leave.
func parted(t *testing.T, s store.Store, left func(), kinds ...actors.Kind) *nodes {
	c := newNodes(t, clustertest.Config{Seed: 7, Delay: time.Millisecond, ViewDelay: 5 * time.Millisecond}, kinds...)
	c.store = s
	net := c.world.Join("a", view.AllRoles)
	n, err := cluster.Start(t.Context(), cluster.Config{
		Name: "a", Store: net.Store(s), Kinds: kinds, Log: c.log, Network: &others{net, left}, DrainTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.all["a"], c.nets["a"] = n, net
	c.settle()
	return c
}

// TestLeaveCopies: a grain with many rows comes up at its new node without a list of
// them, and with all that was done until its old one let it go.
func TestLeaveCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 3000
		var c *nodes
		left := func() {}
		l := &lister{Store: mem.New(), prefix: actors.RowPrefix(counterRef("large"))}
		c = parted(t, l, func() { left() }, counterKind())
		a := c.all["a"]
		if err := ask(a, counterRef("large"), &messages.CreateSubnet{Scope: strings.Repeat("x", many)}); err != nil {
			t.Fatal(err)
		}
		c.startAs("b", view.AllRoles) // under whose view the grain may move, and come up by a list
		c.settle()
		before := mustRead(t, a, "large")
		if c.owner(counterRef("large")) != "a" {
			t.Fatal("choose another name: it has to live on a")
		}
		// When everything is ready and nothing has moved, some of it changes.
		left = func() {
			for i := range 10 {
				mustCount(t, a, "large", fmt.Sprint("new", i))
				mustCount(t, a, "large", fmt.Sprint(i))
			}
		}
		lists := l.lists.Load()
		c.stop("a")
		after := mustRead(t, c.all["b"], "large")
		if len(after) != len(before)+10 || after["n"] != before["n"]+20 || after["0"] != before["0"]+1 || after["new9"] != 1 {
			t.Errorf("%d rows and n=%d, before there were %d and n=%d", len(after), after["n"], len(before), before["n"])
		}
		if got := l.lists.Load() - lists; got > 0 || cluster.Copied(c.all["b"]) != 1 {
			t.Errorf("it was read from the store: %d lists, %d copies", got, cluster.Copied(c.all["b"]))
		}
		mustCount(t, c.all["b"], "large", "0")
		c.close()
	})
}

// TestLeaveThinsOut: of many grains those that nobody asks have left memory before a
// node gives up what it has; who is asked lives on until then.
func TestLeaveThinsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, asked = 2000, 7
		cluster.CopyFrom(1000) // of those here none is large
		defer cluster.CopyFrom(1)
		var a *cluster.Node
		var remain atomic.Int64
		c := parted(t, mem.New(), func() {
			synctest.Wait() // until those that have left are counted
			remain.Store(a.Client().Stats().Actors["counter"])
		}, counterKind())
		a = c.all["a"]
		for i := range many {
			mustCount(t, a, fmt.Sprint(i), "k")
		}
		c.startAs("b", view.AllRoles)
		c.settle()
		ctx, cancel := context.WithCancel(t.Context())
		hot := 0
		for i := 0; hot < asked; i++ {
			if ref := counterRef(fmt.Sprint(i)); c.owner(ref) == "a" {
				hot++
				go func() {
					for ctx.Err() == nil {
						_, _ = a.Client().Ask(ctx, ref, &messages.GetQuota{}) // until it has left
						time.Sleep(10 * time.Millisecond)
					}
				}()
			}
		}
		c.stop("a")
		cancel()
		if remain.Load() != asked {
			t.Errorf("%d grains were in memory when the node left, %d were asked", remain.Load(), asked)
		}
		for i := range many {
			if got := mustRead(t, c.all["b"], fmt.Sprint(i)); got["k"] != 1 {
				t.Fatalf("counter %d: %v", i, got)
			}
		}
		c.close()
	})
}

// TestCopyIsOfARecord: a copy is believed for the very record that is stored, and
// for no other; what is no whole copy in order is not taken.
func TestCopyIsOfARecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{Seed: 1}, counterKind())
		c.start("a")
		n := c.all["a"]
		row := []*messages.GrainRow{{Name: "rows/k", Value: []byte("100")}}
		for i, tt := range []struct {
			what     string
			revision func(uint64) uint64
			version  uint64
			whole    bool
			want     int64
		}{
			{"of this record", func(r uint64) uint64 { return r }, 2, true, 100},
			{"of an older record", func(r uint64) uint64 { return r - 1 }, 2, true, 2},
			{"of another version", func(r uint64) uint64 { return r }, 1, true, 2},
			{"not whole", func(r uint64) uint64 { return r }, 2, false, 2},
		} {
			id := fmt.Sprint("c", i)
			mustCount(t, n, id, "k")
			mustCount(t, n, id, "k")
			time.Sleep((cluster.LargeStays + 2) * cluster.DefaultIdleTimeout) // it leaves memory
			item, err := c.store.Get(t.Context(), actors.RecordKey(counterRef(id)))
			if err != nil {
				t.Fatal(err)
			}
			add := func(piece uint64, last bool) error {
				return cluster.AddCopy(n, &messages.CopyGrain{
					Copy: "x", Kind: "counter", Id: id, Piece: piece, Rows: row, Last: last, Revision: tt.revision(item.Revision), Version: tt.version,
				})
			}
			if err := errors.Join(add(1, false), add(2, tt.whole)); err != nil {
				t.Fatal(err)
			}
			if got := mustRead(t, n, id)["k"]; got != tt.want {
				t.Errorf("a copy %s: %d, want %d", tt.what, got, tt.want)
			}
			if cluster.Copies(n) != 0 {
				t.Errorf("a copy %s stays when its grain is up", tt.what)
			}
		}
		c.close()
	})
}

func TestCopyInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{Seed: 1}, counterKind(), pongKind(nil))
		c.start("a")
		n := c.all["a"]
		for _, tt := range []struct {
			copy, kind string
			piece      uint64
			row        string
			kindOf     error
			copies     int
		}{
			{"x", "counter", 2, "1", messages.Conflict, 0}, // its first is not here
			{"x", "counter", 1, "1", nil, 1},
			{"x", "counter", 3, "1", messages.Conflict, 1},
			{"y", "counter", 2, "1", messages.Conflict, 1},
			{"x", "counter", 2, "1", nil, 1},
			{"y", "counter", 1, "1", nil, 1}, // takes its place
			{"x", "counter", 3, "1", messages.Conflict, 1},
			{"y", "counter", 2, "{", messages.Invalid, 0}, // cannot be read, and is given up
			{"y", "counter", 3, "1", messages.Conflict, 0},
			{"z", "pong", 1, "1", messages.Invalid, 0}, // has no rows
			{"z", "nobody", 1, "1", messages.Invalid, 0},
			{"z", "counter", 1, "1", nil, 1},
		} {
			err := cluster.AddCopy(n, &messages.CopyGrain{
				Copy: tt.copy, Kind: tt.kind, Id: "i", Piece: tt.piece, Rows: []*messages.GrainRow{{Name: "rows/k", Value: []byte(tt.row)}},
			})
			if !errors.Is(err, tt.kindOf) || cluster.Copies(n) != tt.copies {
				t.Errorf("%+v: %v, %d copies", tt, err, cluster.Copies(n))
			}
		}
		time.Sleep(time.Minute)
		if cluster.Copies(n) != 0 {
			t.Error("a copy that nobody goes on with stays for ever")
		}
		c.close()
	})
}
