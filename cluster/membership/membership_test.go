package membership_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// cloud starts n members that share a table in memory; all in a bubble, where
// time passes only while everybody waits.
func cloud(t *testing.T, size int) (*hub, *membership.Memory, []*node) {
	t.Helper()
	h, table := newHub(), membership.NewMemory(10*time.Second)
	var nodes []*node
	for i := range size {
		name := fmt.Sprintf("n%d", i+1)
		n := h.node(t, table.As(name), name)
		if err := n.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	eventually(t, "the members come together", func() bool { return together(nodes...) })
	return h, table, nodes
}

func end(table *membership.Memory, nodes []*node) {
	for _, n := range nodes {
		if n.m != nil {
			n.m.Close()
		}
	}
	table.Close()
}

func TestDeadMemberIsEvicted(t *testing.T) {
	for _, size := range []int{2, 3, 5} {
		for _, machine := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				h, table, nodes := cloud(t, size)
				dead := nodes[1]
				if machine {
					h.isolate(dead.name+":1", true)
					table.Cut(dead.name, true)
				} else {
					dead.kill()
				}
				rest := slices.Delete(slices.Clone(nodes), 1, 2)
				began := time.Now()
				eventually(t, "the others go on alone", func() bool { return together(rest...) })
				d := view.DefaultTimings()
				if took, bound := time.Since(began), d.SuspectAfter+d.PingEvery+d.Indirect+d.TieDelay+d.Lease+d.Margin+time.Second; took > bound {
					t.Errorf("%d members, machine %v: it took %v, more than %v", size, machine, took, bound)
				}
				end(table, nodes)
			})
		}
	}
}

func TestNothingIsServedAfterEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, table, nodes := cloud(t, 3)
		// n1 stands still as far as others see; it is evicted, learns so, and comes back.
		h.isolate("n1:1", true)
		table.Cut("n1", true)
		old := nodes[0].m.Self()
		eventually(t, "n1 has no lease", func() bool { return !nodes[0].m.Leased(time.Now()) })
		eventually(t, "the others have what was n1's", func() bool { return together(nodes[1:]...) })
		if nodes[0].m.Leased(time.Now()) {
			t.Error("n1 and its successors may read at once")
		}
		h.isolate("n1:1", false)
		table.Cut("n1", false)
		eventually(t, "n1 is back", func() bool { return together(nodes...) })
		now := nodes[0].m.Self()
		if now.ID == old.ID || now.Epoch <= old.Epoch || nodes[0].fences() != 1 {
			t.Errorf("n1 was %s at %d and is %s at %d, fenced %d times", old.ID, old.Epoch, now.ID, now.Epoch, nodes[0].fences())
		}
		end(table, nodes)
	})
}

func TestTableWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, table, nodes := cloud(t, 3)
		var epochs []uint64
		for _, n := range nodes {
			epochs = append(epochs, n.m.Self().Epoch)
		}
		table.Wipe()
		began := time.Now()
		eventually(t, "all are fenced", func() bool { return nodes[0].fences()*nodes[1].fences()*nodes[2].fences() > 0 })
		eventually(t, "all have registered again", func() bool {
			v, err := table.Read(t.Context())
			return err == nil && len(v.Members) == 3
		})
		if took := time.Since(began); took > time.Second {
			t.Errorf("registered again after %v", took)
		}
		eventually(t, "all are members again", func() bool { return together(nodes...) })
		for i, n := range nodes {
			if n.m.Self().Epoch <= epochs[i] {
				t.Errorf("the epoch of %s fell from %d to %d", n.name, epochs[i], n.m.Self().Epoch)
			}
		}
		end(table, nodes)
	})
}

func TestTableAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, table, nodes := cloud(t, 3)
		table.SetDown(true)
		for range 300 {
			time.Sleep(100 * time.Millisecond)
			for _, n := range nodes {
				if !n.m.Leased(time.Now()) {
					t.Fatalf("%s cannot read while the table is away", n.name)
				}
			}
		}
		if nodes[0].m.TableReachable() {
			t.Error("a table that is away is called reachable")
		}
		table.SetDown(false)
		back := time.Now()
		joiner := nodes[0].hub.node(t, table.As("n4"), "n4")
		if err := joiner.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, joiner)
		eventually(t, "the new member is known to all", func() bool {
			return !slices.ContainsFunc(nodes, func(n *node) bool { return !n.m.View().Has(joiner.m.Self().ID) })
		})
		if took := time.Since(back); took > time.Second {
			t.Errorf("the watches went on %v after the table was back", took)
		}
		for _, n := range nodes {
			if n.fences() > 0 {
				t.Errorf("%s was fenced: %v", n.name, n.fenced)
			}
		}
		eventually(t, "all are together", func() bool { return together(nodes...) })
		end(table, nodes)
	})
}

func TestCutFromTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, table, nodes := cloud(t, 3)
		table.Cut("n2", true)
		rest := []*node{nodes[0], nodes[2]}
		eventually(t, "who cannot commit is no member any more", func() bool { return together(rest...) })
		table.Cut("n2", false)
		eventually(t, "it is back", func() bool { return together(nodes...) })
		end(table, nodes)
	})
}

func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, table, nodes := cloud(t, 3)
		leaver := nodes[2]
		id := leaver.m.Self().ID
		began := time.Now()
		if err := leaver.m.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the others are stable without it", func() bool { return together(nodes[:2]...) })
		if took := time.Since(began); took >= view.DefaultTimings().Lease {
			t.Errorf("after an orderly leave the others waited %v, as if it had died", took)
		}
		leaver.mu.Lock()
		if len(leaver.fenced) > 0 {
			t.Errorf("who leaves was fenced: %v", leaver.fenced)
		}
		leaver.mu.Unlock()
		if v, _ := table.Read(t.Context()); v.Has(id) {
			t.Error("it stands in the table")
		}
		if key, _ := leaver.m.Fence(); key != "" || leaver.m.Leased(time.Now()) {
			t.Error("it may still commit or read")
		}
		if err := leaver.m.Leave(t.Context()); err != nil {
			t.Errorf("leaving twice: %v", err)
		}
		end(table, nodes)
	})
}

// TestLeaveWaits: a member is in the table, owning nothing, until everybody has
// said that they have come to the new view.
func TestLeaveWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, table := newHub(), membership.NewMemory(0)
		a, b := h.node(t, table.As("a"), "a"), h.node(t, table.As("b"), "b")
		release := make(chan struct{})
		for _, n := range []*node{a, b} {
			c := n.config()
			c.OnView = func(v *view.View) {
				if v.Members[0].Leaving {
					<-release // its shell is still handing over
				}
				n.m.Released(v.Index)
			}
			var err error
			if n.m, err = membership.New(c); err != nil {
				t.Fatal(err)
			}
			h.put(n.name+":1", n.m)
			if err := n.m.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "both are together", func() bool { return together(a, b) })
		left := make(chan error)
		go func() { left <- a.m.Leave(t.Context()) }()
		eventually(t, "b sees that a is leaving", func() bool { return b.m.View().Members[0].Leaving })
		time.Sleep(3 * time.Second)
		if v, _ := table.Read(t.Context()); len(v.Members) != 2 {
			t.Error("a has deregistered before it was drained")
		}
		close(release)
		if err := <-left; err != nil {
			t.Error(err)
		}
		if v, _ := table.Read(t.Context()); len(v.Members) != 1 {
			t.Error("a is still registered")
		}
		b.m.Close()
		table.Close()
	})
}

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, table, nodes := cloud(t, 3)
		// Another process, elsewhere, under a name that is taken.
		twin := h.node(t, table.As("n1"), "n1")
		c := twin.config()
		c.Self.Address = "elsewhere:1"
		m, err := membership.New(c)
		if err != nil {
			t.Fatal(err)
		}
		twin.m = m
		h.put("elsewhere:1", m)
		err = m.Start(t.Context())
		var taken *membership.NameTaken
		if !errors.Is(err, messages.Conflict) || !errors.As(err, &taken) || !strings.Contains(err.Error(), "n1:1") {
			t.Errorf("a name that is taken: %v", err)
		}
		// A node that starts again at its own address does not wait for anything.
		nodes[0].kill()
		began := time.Now()
		if err := nodes[0].start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("it took %v to start again", took)
		}
		eventually(t, "all are together", func() bool { return together(nodes...) })
		end(table, nodes)
	})
}

func TestJoinNeedsAMajority(t *testing.T) {
	for name, oneWay := range map[string]bool{"both ways": false, "one way": true} {
		synctest.Test(t, func(t *testing.T) {
			h, table, nodes := cloud(t, 3)
			n := h.node(t, table.As("n4"), "n4")
			h.mu.Lock()
			for _, other := range []string{"n1:1", "n2:1"} {
				h.cut[[2]string{other, "n4:1"}] = true
				h.cut[[2]string{"n4:1", other}] = !oneWay
			}
			h.mu.Unlock()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err := n.start(ctx)
			if !errors.Is(err, messages.Unavailable) || !strings.Contains(err.Error(), "no majority") {
				t.Errorf("%s: %v", name, err)
			}
			if v, _ := table.Read(t.Context()); len(v.Members) != 3 {
				t.Errorf("%s: it is a member", name)
			}
			end(table, nodes)
		})
	}
}

// TestJoinNeedsItsVersion: whom most refuse for its version is no member, and need not
// try again; whom few do, while the others are still upgraded, is one.
func TestJoinNeedsItsVersion(t *testing.T) {
	for newer, want := range map[int]error{1: nil, 2: messages.Conflict, 3: messages.Conflict} {
		synctest.Test(t, func(t *testing.T) {
			h, table, nodes := cloud(t, 3)
			n := h.node(t, table.As("n4"), "n4")
			h.mu.Lock()
			h.newer = map[string]bool{}
			for i := range newer {
				h.newer[fmt.Sprintf("n%d:1", i+1)] = true
			}
			h.mu.Unlock()
			began := time.Now()
			err := n.start(t.Context())
			if !errors.Is(err, want) || want != nil && (!errors.Is(err, peer.ErrVersion) || time.Since(began) > time.Second) {
				t.Errorf("%d of 3 refuse it: after %v %v, want %v", newer, time.Since(began), err, want)
			}
			h.mu.Lock()
			h.newer = nil // they know that it is one
			h.mu.Unlock()
			if err == nil {
				nodes = append(nodes, n)
			}
			end(table, nodes)
		})
	}
}

func TestHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, table, nodes := cloud(t, 2)
		before, _ := table.Read(t.Context())
		for i := range 50 { // a driver finds its hosts one after the other
			go func() { _ = nodes[0].m.SetHosts(t.Context(), []string{"h2", "h1"}[:1+i%2]) }()
		}
		synctest.Wait()
		if err := nodes[0].m.SetHosts(t.Context(), []string{"h2", "h1"}); err != nil {
			t.Fatal(err)
		}
		after, _ := table.Read(t.Context())
		if m, _ := after.ByName("n1"); !slices.Equal(m.Hosts, []string{"h1", "h2"}) {
			t.Errorf("the table has %v", m.Hosts)
		}
		if writes := after.Index - before.Index; writes > 2 {
			t.Errorf("51 changes were %d writes", writes)
		}
		many := make([]string, 60_000)
		for i := range many {
			many[i] = fmt.Sprintf("host-%06d", i)
		}
		if err := nodes[0].m.SetHosts(t.Context(), many); !errors.Is(err, messages.Exhausted) {
			t.Errorf("60000 hosts: %v", err)
		}
		// They stand in the table again after this node had to join again.
		if err := table.Evict(t.Context(), view.Member{}, nodes[0].m.Self()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "n1 is back with its hosts", func() bool {
			v, _ := table.Read(t.Context())
			m, ok := v.ByName("n1")
			return ok && len(m.Hosts) == 2 && together(nodes...)
		})
		end(table, nodes)
	})
}

// TestIdleCost: what an idle cloud says to itself grows with its size, not with
// the square.
func TestIdleCost(t *testing.T) {
	perMember := map[int]float64{}
	for _, size := range []int{3, 10, 30} {
		synctest.Test(t, func(t *testing.T) {
			h, table, nodes := cloud(t, size)
			time.Sleep(2 * time.Second)
			before := h.pinged()
			time.Sleep(10 * time.Second)
			perMember[size] = float64(h.pinged()-before) / float64(size) / 10
			end(table, nodes)
		})
	}
	t.Logf("pings a second and member: %v", perMember)
	if perMember[30] > 1.1*perMember[10] || perMember[30] > 13 {
		t.Errorf("pings a second and member: %v", perMember)
	}
}

// TestOldIsGoneBeforeNewBegins: a process that was fenced does not join again
// before its shell has dropped everything: with a new lease it would serve what it
// had under the old one.
func TestOldIsGoneBeforeNewBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, table, nodes := cloud(t, 2)
		dropping := make(chan struct{})
		n := h.node(t, table.As("n3"), "n3")
		c := n.config()
		c.OnFenced = func(error) { <-dropping }
		var err error
		if n.m, err = membership.New(c); err != nil {
			t.Fatal(err)
		}
		h.put("n3:1", n.m)
		if err := n.m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
		eventually(t, "three are together", func() bool { return together(nodes...) })
		if err := table.Evict(t.Context(), view.Member{}, n.m.Self()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if v, _ := table.Read(t.Context()); len(v.Members) != 2 || n.m.Leased(time.Now()) {
			t.Error("n3 is a member again while its shell still holds what it had")
		}
		close(dropping)
		eventually(t, "three are together again", func() bool { return together(nodes...) })
		end(table, nodes)
	})
}
