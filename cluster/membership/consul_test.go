package membership_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

var prefixes atomic.Uint64

// table is a member table of its own in a Consul that others may use too.
func table(t testing.TB, c *consultest.Cluster, prefix string) *membership.Consul {
	t.Helper()
	table, err := membership.NewConsul(membership.ConsulConfig{Config: consul.Config{
		Address: strings.Join(c.Addrs(), ","), Token: c.Token(), Prefix: prefix,
		TLS: consul.TLS{CA: c.CA(), Cert: c.Cert(), Key: c.Key()},
	}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	return table
}

func prefix() string { return fmt.Sprintf("test-%d", prefixes.Add(1)) }

func member(name string) view.Member {
	return view.Member{
		ID: name + ".1", Name: name, Address: name + ":1", API: "http://" + name, Roles: view.AllRoles,
		Hosts: []string{"h1", "h2"}, Version: "v1", Protocol: 2, MinProtocol: 1, Started: time.UnixMilli(1_700_000_000_000),
	}
}

// TestTables: both tables keep what Table promises.
func TestTables(t *testing.T) {
	c := consultest.Start(t, consultest.Options{})
	for name, make := range map[string]func(*testing.T) membership.Table{
		"memory": func(t *testing.T) membership.Table {
			m := membership.NewMemory(0)
			t.Cleanup(m.Close)
			return m
		},
		"consul": func(t *testing.T) membership.Table { return table(t, c, prefix()) },
	} {
		t.Run(name, func(t *testing.T) { testTable(t, make(t)) })
	}
}

func testTable(t *testing.T, table membership.Table) {
	ctx := t.Context()
	read := func() *view.View {
		t.Helper()
		v, err := table.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	empty := read()
	a, err := table.Join(ctx, member("a"))
	must(err)
	one := read()
	if got, _ := one.ByName("a"); !got.Equal(a) || a.Epoch == 0 || one.Index <= empty.Index {
		t.Fatalf("joined as %+v, the table at %d has %+v", a, one.Index, got)
	}

	// A watch returns what is new.
	watched := make(chan *view.View, 1)
	go func() {
		v, err := table.Watch(ctx, one.Index)
		if err != nil {
			t.Error(err)
		}
		watched <- v
	}()
	b, err := table.Join(ctx, member("b"))
	must(err)
	if v := <-watched; v == nil || !v.Has(b.ID) || v.Index <= one.Index {
		t.Fatalf("the watch brought %+v", v)
	}
	if b.Epoch <= a.Epoch {
		t.Errorf("epochs %d, then %d", a.Epoch, b.Epoch)
	}

	// A name is taken once.
	other := member("a")
	other.ID, other.Address = "a.2", "elsewhere:1"
	var taken *membership.NameTaken
	if _, err := table.Join(ctx, other); !errors.As(err, &taken) || taken.Holder.Address != "a:1" || !errors.Is(err, messages.Conflict) {
		t.Errorf("a second a: %v", err)
	}

	// What is mine can be changed, what is not cannot.
	a.Hosts, a.Leaving = []string{"h3"}, true
	must(table.Update(ctx, a))
	if got, _ := read().ByName("a"); !got.Equal(a) {
		t.Errorf("after the update %+v, want %+v", got, a)
	}
	if err := table.Update(ctx, other); !errors.Is(err, membership.ErrGone) {
		t.Errorf("another's update: %v", err)
	}
	must(table.Renew(ctx, a))
	if err := table.Renew(ctx, other); !errors.Is(err, membership.ErrGone) {
		t.Errorf("another's renewal: %v", err)
	}
	if is, err := table.Confirm(ctx, a); err != nil || !is {
		t.Errorf("a is no member: %v", err)
	}
	if is, err := table.Confirm(ctx, other); err != nil || is {
		t.Errorf("a stranger is a member: %v", err)
	}
	if key, session := table.Fence(a); key == "" || session == "" {
		t.Error("a has no fence")
	}
	if key, session := table.Fence(other); key != "" || session != "" {
		t.Error("a stranger has a fence")
	}

	// Evictions go by registration, and only members evict.
	index := read().Index
	must(table.Evict(ctx, a, member("nobody")))
	must(table.Evict(ctx, b, other)) // an earlier registration of that name
	if err := table.Evict(ctx, other, b); !errors.Is(err, messages.Conflict) {
		t.Errorf("a stranger evicts: %v", err)
	}
	if v := read(); v.Index != index || len(v.Members) != 2 {
		t.Errorf("%d members at %d, were 2 at %d", len(v.Members), v.Index, index)
	}
	must(table.Evict(ctx, a, b))
	must(table.Evict(ctx, a, b))
	if is, err := table.Confirm(ctx, b); err != nil || is {
		t.Errorf("b was evicted and is a member: %v", err)
	}
	if err := table.Evict(ctx, b, a); !errors.Is(err, messages.Conflict) {
		t.Errorf("who was evicted evicts: %v", err)
	}
	if err := table.Update(ctx, b); !errors.Is(err, membership.ErrGone) {
		t.Errorf("who was evicted updates: %v", err)
	}
	if err := table.Renew(ctx, b); !errors.Is(err, membership.ErrGone) {
		t.Errorf("who was evicted renews: %v", err)
	}

	// The name is free at once, also for the same process.
	again := member("b")
	again.ID, again.Epoch = "b.2", b.Epoch
	again, err = table.Join(ctx, again)
	must(err)
	if again.Epoch <= b.Epoch {
		t.Errorf("epochs of b: %d, then %d", b.Epoch, again.Epoch)
	}
	must(table.Evict(ctx, view.Member{}, again)) // a dead record of one's own
	must(table.Leave(ctx, a))
	must(table.Leave(ctx, a))
	if v := read(); len(v.Members) != 0 || v.Index <= index {
		t.Errorf("in the end %d members at %d", len(v.Members), v.Index)
	}

	// Rivals for one name: one wins.
	var wins atomic.Int32
	var rivals sync.WaitGroup
	for i := range 8 {
		rivals.Go(func() {
			m := member("c")
			m.ID = fmt.Sprintf("c.%d", i)
			switch _, err := table.Join(ctx, m); {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, messages.Conflict) && !errors.Is(err, messages.Unavailable):
				t.Error(err)
			}
		})
	}
	rivals.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d rivals won one name", wins.Load())
	}
}

// consulCloud is n members with a hub for a network and a real Consul for a table.
func consulCloud(t *testing.T, c *consultest.Cluster, size int) (h *hub, nodes []*node, prefix_ string) {
	t.Helper()
	h, prefix_ = newHub(), prefix()
	for i := range size {
		n := patient(h.node(t, table(t, c, prefix_), fmt.Sprintf("n%d", i+1)))
		if err := n.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.m.Close() })
		nodes = append(nodes, n)
	}
	eventually(t, "the members come together", func() bool { return together(nodes...) })
	return h, nodes, prefix_
}

// patient has a node judge others slowly: on a busy machine a process may stand still
// for longer than a real cloud would wait for it. How long members do without the
// table, and how long a session lives, stays.
func patient(n *node) *node {
	n.times = membership.DefaultTimings()
	extension, alone := n.times.Extension, n.times.ExtensionAlone
	n.times.Timings = n.times.Timings.Scaled(4)
	n.times.Extension, n.times.ExtensionAlone, n.times.RequestLimit = extension, alone, 6*time.Second
	return n
}

func ids(nodes []*node) (ids []string) {
	for _, n := range nodes {
		ids = append(ids, n.m.Self().ID)
	}
	return ids
}

// renewed reports whether no node is the member that it was before.
func renewed(before []string, nodes []*node) bool {
	return !slices.ContainsFunc(ids(nodes), func(id string) bool { return slices.Contains(before, id) })
}

// TestConsulFaults: a restart and a pause of Consul change nothing, a wipe makes
// everybody register again, edits by hand break nothing.
func TestConsulFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute of real time")
	}
	t.Parallel()
	c := consultest.Start(t, consultest.Options{})
	h, nodes, root := consulCloud(t, c, 3)
	first := ids(nodes)

	t.Run("a commit depends on the session", func(t *testing.T) {
		key, session := nodes[0].m.Fence()
		check := func() bool {
			ok, _, _, err := c.Client(0).Txn().Txn(api.TxnOps{{KV: &api.KVTxnOp{Verb: api.KVCheckSession, Key: key, Session: session}}}, nil)
			return err == nil && ok
		}
		if !check() {
			t.Error("the session does not hold the key")
		}
	})
	t.Run("restart", func(t *testing.T) {
		c.Kill(0)
		<-time.After(nodes[0].times.Lease + time.Second) // only the others' word can have extended it
		for _, n := range nodes {
			if !n.m.Leased(time.Now()) {
				t.Errorf("%s cannot read while Consul is down", n.name)
			}
		}
		if err := c.Launch(0); err != nil {
			t.Fatal(err)
		}
		if err := c.WaitLeader(t.Context()); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		n := patient(h.node(t, table(t, c, root), "n4"))
		if err := n.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all see a new member", func() bool { return together(append(slices.Clone(nodes), n)...) })
		t.Logf("a member that joined right after Consul was back was seen by all after %v", time.Since(back))
		if got := ids(nodes); !slices.Equal(got, first) {
			t.Errorf("members were %v and are %v", first, got)
		}
		if err := n.m.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		eventually(t, "it is gone", func() bool { return together(nodes...) })
	})
	t.Run("by hand", func(t *testing.T) {
		kv := c.Client(0).KV()
		for key, value := range map[string]string{"ghost": "\x0a\xff nonsense", "n9": "", "n1/x": "y"} {
			if _, err := kv.Put(&api.KVPair{Key: root + "/members/" + key, Value: []byte(value)}, nil); err != nil {
				t.Fatal(err)
			}
		}
		ghost := patient(h.node(t, table(t, c, root), "ghost"))
		eventually(t, "the name of nonsense can be taken", func() bool { return ghost.start(t.Context()) == nil })
		eventually(t, "all are together", func() bool { return together(append(slices.Clone(nodes), ghost)...) })
		if err := ghost.m.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		// The own record, overwritten: the member is out, and comes back.
		pair, _, err := kv.Get(root+"/members/n1", nil)
		if err != nil || pair == nil {
			t.Fatal(err)
		}
		pair.Value = []byte("nonsense")
		if _, err := kv.Put(pair, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "n1 is fenced", func() bool { return nodes[0].fences() > 0 })
		eventually(t, "all are together again", func() bool { return together(nodes...) })
	})
	t.Run("session taken away", func(t *testing.T) {
		_, session := nodes[1].m.Fence()
		if _, err := c.Client(0).Session().Destroy(session, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "n2 is fenced", func() bool { return nodes[1].fences() > 0 })
		eventually(t, "all are together again", func() bool { return together(nodes...) })
	})
	t.Run("wiped", func(t *testing.T) {
		before, epochs := ids(nodes), []uint64{}
		for _, n := range nodes {
			epochs = append(epochs, n.m.Self().Epoch)
		}
		if err := c.Wipe(t.Context()); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		eventually(t, "all have registered again", func() bool { return renewed(before, nodes) && together(nodes...) })
		t.Logf("all were stable again %v after an empty Consul was back", time.Since(back))
		for i, n := range nodes {
			if n.m.Self().Epoch <= epochs[i] {
				t.Errorf("%s was %s at %d and is %s at %d", n.name, before[i], epochs[i], n.m.Self().ID, n.m.Self().Epoch)
			}
		}
	})
}

// TestConsulLeaderKilled: three servers, two of them left: nobody is evicted or
// even loses its lease.
func TestConsulLeaderKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes real time")
	}
	t.Parallel()
	c := consultest.Start(t, consultest.Options{Servers: 3})
	h, nodes, root := consulCloud(t, c, 3)
	before := ids(nodes)
	leader, err := c.Leader(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Kill(leader)
	if err := c.WaitLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := patient(h.node(t, table(t, c, root), "n4"))
	if err := n.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all see a new member", func() bool { return together(append(slices.Clone(nodes), n)...) })
	for i, n := range nodes {
		if n.m.Self().ID != before[i] || n.fences() > 0 {
			t.Errorf("%s was %s: fenced %v", n.m.Self().ID, before[i], n.fenced)
		}
	}
	n.m.Close()
}

// TestConsulSecured: TLS and access control, and what is said without.
func TestConsulSecured(t *testing.T) {
	t.Parallel()
	c := consultest.Start(t, consultest.Options{ACL: true, TLS: true})
	_, _, root := consulCloud(t, c, 2)
	for name, tt := range map[string]struct {
		config consul.Config
		want   error
		text   string
	}{
		"no token":      {consul.Config{Address: c.Addr(), TLS: consul.TLS{CA: c.CA(), Cert: c.Cert(), Key: c.Key()}}, messages.Denied, "token"},
		"not by TLS":    {consul.Config{Address: c.Addr(), Token: c.Token()}, nil, ""},
		"unknown CA":    {consul.Config{Address: c.Addr(), Token: c.Token(), TLS: consul.TLS{ServerName: "localhost"}}, messages.Unavailable, "certificate"},
		"nobody there":  {consul.Config{Address: "127.0.0.1:1", Token: c.Token()}, messages.Unavailable, "refused"},
		"first is dead": {consul.Config{Address: "127.0.0.1:1," + c.Addr(), Token: c.Token(), TLS: consul.TLS{CA: c.CA(), Cert: c.Cert(), Key: c.Key()}}, errNone, ""},
	} {
		tt.config.Prefix = root + "-" + strings.ReplaceAll(name, " ", "-")
		table, err := membership.NewConsul(membership.ConsulConfig{Config: tt.config})
		if err != nil {
			t.Fatal(err)
		}
		n := newHub().node(t, table, "n9")
		good := func() bool {
			if err == nil || tt.want == errNone {
				return err == nil && tt.want == errNone
			}
			return (tt.want == nil || errors.Is(err, tt.want)) && strings.Contains(err.Error(), tt.text)
		}
		// On a busy machine the time may be over before the reason is known.
		for limit := 3 * time.Second; limit < time.Minute; limit *= 2 {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			err = n.start(ctx)
			cancel()
			if err == nil {
				n.m.Close()
			}
			if good() {
				break
			}
		}
		if !good() {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v", name, err)
		table.Close()
	}
	if _, err := membership.NewConsul(membership.ConsulConfig{Config: consul.Config{Address: "no address"}}); !errors.Is(err, messages.Invalid) {
		t.Errorf("no address: %v", err)
	}
}

var errNone = errors.New("none")

// FuzzRecord: whatever stands in the table under a name is a member of that name,
// or is refused; and what is a member is written as it was read.
func FuzzRecord(f *testing.F) {
	good, err := membership.EncodeRecord(member("a"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a", good)
	f.Add("b", good)
	f.Add("a", []byte{})
	f.Add("", []byte{0x0a, 0xff})
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		m, err := membership.DecodeRecord(name, raw)
		if err != nil {
			if !errors.Is(err, messages.Invalid) {
				t.Fatalf("%v is not Invalid", err)
			}
			return
		}
		if m.Name != name || m.Valid() != nil {
			t.Fatalf("under %q stands %+v", name, m)
		}
		again, err := membership.EncodeRecord(m)
		if err != nil {
			return // longer than it was, and too long now
		}
		if back, err := membership.DecodeRecord(name, again); err != nil || !back.Equal(m) {
			t.Fatalf("%+v became %+v: %v", m, back, err)
		}
	})
}
