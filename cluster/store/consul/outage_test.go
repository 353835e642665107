package consul_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/store/storetest"
	"github.com/troupe-cloud/troupe/messages"
)

// settleTime bounds how long a writer tries until its last value is taken: a busy
// machine may make Consul's leader resign once more after the storm.
const settleTime = 2 * time.Minute

// history is what one writer knows of its key.
type history struct {
	revision uint64
	acked    string
	maybe    []string // outcomes that nobody told: each may have happened, or may still
	undecided,
	unknown int
}

// write commits the next value; after an unknown outcome it looks what it became.
// A late commit of the same revision may still overtake it after that look.
func (h *history) write(t *testing.T, s store.Store, key, value string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if len(h.maybe) > 0 {
		item, err := s.Get(ctx, key)
		switch {
		case errors.Is(err, messages.Unavailable):
			return
		case errors.Is(err, messages.NotFound) && h.acked == "":
		case err != nil:
			t.Errorf("%s: %v", key, err)
		case string(item.Value) == h.acked && item.Revision == h.revision: // not yet, or never
		case slices.Contains(h.maybe, string(item.Value)): // and the rest has lost
			h.acked, h.revision, h.maybe = string(item.Value), item.Revision, nil
		default:
			t.Errorf("%s is %q at %d; acknowledged was %q at %d, perhaps %q", key, item.Value, item.Revision, h.acked, h.revision, h.maybe)
		}
	}
	rev, err := s.Commit(ctx, store.Txn{
		Checks: []store.Check{{Key: key, Revision: h.revision}}, Writes: storetest.Put(key, value).Writes,
	})
	switch {
	case err == nil: // what was unknown has lost
		h.acked, h.revision, h.maybe = value, rev, nil
	case errors.Is(err, store.ErrStale) && len(h.maybe) > 0: // it happened after we looked
	case errors.Is(err, store.ErrUndecided):
		h.undecided++
	case errors.Is(err, store.ErrUnknown):
		h.unknown++
		h.maybe = append(h.maybe, value)
	default:
		t.Errorf("%s: %v", key, err)
	}
}

// storm has writers commit while harm is done to the servers, and checks that
// nothing acknowledged is lost.
func storm(t *testing.T, c *consultest.Cluster, config consul.Config, harm func()) {
	s := open(t, config)
	done := make(chan struct{})
	histories := make([]history, 32)
	var wg sync.WaitGroup
	for w := range histories {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					histories[w].write(t, s, fmt.Sprintf("k/%d", w), fmt.Sprintf("%d.%d", w, i))
				}
			}
		})
	}
	harm()
	close(done)
	wg.Wait()
	if err := c.WaitLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	undecided, unknown := 0, 0
	for w := range histories {
		h := &histories[w]
		key := fmt.Sprintf("k/%d", w)
		for end := time.Now().Add(settleTime); h.acked != "last" && time.Now().Before(end); {
			h.write(t, s, key, "last")
		}
		if item := items1(t, s, key); string(item.Value) != "last" || h.acked != "last" {
			t.Errorf("%s is %q; known is %+v", key, item.Value, h)
		}
		undecided, unknown = undecided+h.undecided, unknown+h.unknown
	}
	t.Logf("%d commits undecided, %d unknown", undecided, unknown)
}

// waits for the time that a test wants its storm to blow.
func blow(d time.Duration) { <-time.After(d) }

// TestKilled: the only server is killed and comes back, again and again.
func TestKilled(t *testing.T) {
	c := consultest.Start(t, consultest.Options{})
	storm(t, c, consul.Config{Address: c.Addr(), Patience: time.Second}, func() {
		for range 3 {
			blow(300 * time.Millisecond)
			c.Kill(0)
			if err := c.Restart(t.Context(), 0); err != nil {
				t.Error(err)
			}
		}
		c.Pause(0)
		blow(3 * time.Second)
		c.Resume(0)
	})
}

// TestLeaderKilled: of three servers the leading one is killed, and another
// paused; the store goes on with those that are left.
func TestLeaderKilled(t *testing.T) {
	c := consultest.Start(t, consultest.Options{Servers: 3})
	addrs := c.Addrs()
	storm(t, c, consul.Config{Address: addrs[0] + "," + addrs[1] + "," + addrs[2]}, func() {
		for i := range 3 {
			blow(300 * time.Millisecond)
			leader, err := c.Leader(t.Context(), i)
			if err != nil {
				t.Error(err)
				return
			}
			if i == 1 {
				c.Pause(leader)
				blow(5 * time.Second) // others elect one in two to four
				c.Resume(leader)
				continue
			}
			c.Kill(leader)
			if err := c.Restart(t.Context(), leader); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestAway: with no Consul at all commits and reads fail within a bounded time
// and say that nothing was decided; then it works again by itself.
func TestAway(t *testing.T) {
	c := consultest.Start(t, consultest.Options{})
	s := open(t, consul.Config{Address: c.Addr(), Patience: 300 * time.Millisecond})
	rev := commitAtLast(t, s, storetest.Put("a", "1"))
	c.Kill(0)
	for range 3 {
		if _, err := s.Commit(t.Context(), storetest.Put("a", "2")); !errors.Is(err, store.ErrUndecided) && !errors.Is(err, store.ErrUnknown) {
			t.Errorf("commit: %v", err)
		}
	}
	if _, err := s.Commit(t.Context(), storetest.Put("b", "2")); !errors.Is(err, store.ErrUndecided) || !errors.Is(err, messages.Unavailable) {
		t.Errorf("commit: %v", err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, messages.Unavailable) {
		t.Errorf("get: %v", err)
	}
	if _, _, err := s.List(t.Context(), "a", "", 0); !errors.Is(err, messages.Unavailable) {
		t.Errorf("list: %v", err)
	}
	if _, err := s.Watch(t.Context(), "a", 0); !errors.Is(err, messages.Unavailable) {
		t.Errorf("watch: %v", err)
	}
	if err := c.Restart(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if item := items1(t, s, "a"); item.Revision != rev {
		t.Errorf("a moved to %d", item.Revision)
	}
	commitAtLast(t, s, storetest.Put("a", "3"))
}

// commitAtLast commits by a store of little patience.
func commitAtLast(t *testing.T, s store.Store, txn store.Txn) (rev uint64) {
	t.Helper()
	atLast(t, func() (err error) {
		rev, err = s.Commit(t.Context(), txn)
		return err
	})
	return rev
}

// TestFence: without its lease a node commits nothing, and with a new one it does.
func TestFence(t *testing.T) {
	client := sharedConsul(t).Client(0)
	s := open(t, consul.Config{Address: sharedConsul(t).Addr(), Prefix: folder()})
	lease, session := folder()+"/lease", ""
	acquire := func() {
		var err error
		if session, _, err = client.Session().CreateNoChecks(&api.SessionEntry{TTL: "60s", LockDelay: time.Millisecond}, nil); err != nil {
			t.Fatal(err)
		}
		for ok := false; !ok; { // until the lock delay is over
			if ok, _, err = client.KV().Acquire(&api.KVPair{Key: lease, Session: session}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.SetFence(func() (string, string) { return lease, session })
	wantFenced := func(what string) {
		t.Helper()
		for name, txn := range map[string]store.Txn{"small": storetest.Put("a", "2"), "large": wide(100, 0, []byte("x"))} {
			if _, err := s.Commit(t.Context(), txn); !errors.Is(err, store.ErrFenced) || !errors.Is(err, messages.Unavailable) {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
	}
	wantFenced("no lease yet")
	acquire()
	mustCommit(t, s, storetest.Put("a", "1"))
	if _, err := client.Session().Destroy(session, nil); err != nil {
		t.Fatal(err)
	}
	wantFenced("lease lost")
	if item := items1(t, s, "a"); string(item.Value) != "1" {
		t.Errorf("a is %q", item.Value)
	}
	acquire()
	mustCommit(t, s, storetest.Put("a", "3"))
}
