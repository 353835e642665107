package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/group"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/actors/project"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/messages"
)

// fleet is several nodes that drive simulated hypervisors, which outlive them.
type fleet struct {
	*nodes
	machines map[string][]*sim.Driver // by node
}

func newFleet(t testing.TB, seed uint64, perNode int, names ...string) *fleet {
	f := &fleet{
		nodes: newNodes(t, clustertest.Config{Seed: seed, Delay: 2 * time.Millisecond, ViewDelay: 10 * time.Millisecond},
			host.Spec(), instance.Spec(), network.Spec(), project.Spec(), scheduler.Spec(scheduler.Filter), group.Spec(), config.Spec()),
		machines: map[string][]*sim.Driver{},
	}
	for _, name := range names {
		for i := range perNode {
			f.machines[name] = append(f.machines[name], sim.New(sim.Config{
				Name: fmt.Sprintf("%s-h%d", name, i), VCPUs: 1000, RAMMiB: 1 << 30, DiskGiB: 1 << 30,
			}))
		}
		f.run(name)
	}
	f.settle()
	none := map[string]int64{"instances": -1, "cores": -1, "ram": -1}
	f.must(ask(f.all[names[0]], actors.Ref{Kind: "project", ID: "p"}, &messages.SetQuota{Limits: none, Force: true}))
	for _, name := range names {
		for i := range perNode {
			f.awaitHost(names[0], fmt.Sprintf("%s-h%d", name, i), true)
		}
	}
	return f
}

func (f *fleet) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// run starts a node with its hypervisors.
func (f *fleet) run(name string) {
	f.t.Helper()
	n := f.startAs(name, view.AllRoles)
	for i, d := range f.machines[name] {
		f.must(n.AttachHost(fmt.Sprintf("%s-h%d", name, i), "nova", d))
	}
}

// awaitHost waits until a host is up, or down, as any node shows it.
func (f *fleet) awaitHost(asked, name string, up bool) *messages.HostView {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		v, err := cluster.Ask[*messages.HostView](ctx, f.all[asked].Client(), hostRef(name), &messages.GetHost{})
		if err == nil && v.Facts.Up == up && (up || v.LostReason != "") {
			return v
		}
		time.Sleep(10 * time.Millisecond)
	}
	f.t.Fatalf("host %s did not become up=%v", name, up)
	return nil
}

func (f *fleet) awaitServer(asked string, i int, want messages.VMState) *messages.InstanceView {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 2*time.Minute)
	defer cancel()
	var v *messages.InstanceView
	var err error
	for ctx.Err() == nil {
		v, err = cluster.Ask[*messages.InstanceView](ctx, f.all[asked].Client(), serverRef(i), &messages.GetInstance{})
		if err == nil && v.VmState == want && v.TaskState == 0 {
			return v
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.t.Fatalf("server %d did not become %v: %v, %v", i, want, v, err)
	return nil
}

func serverRef(i int) actors.Ref {
	return actors.Ref{Kind: "instance", ID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i)}
}

func (f *fleet) close() {
	f.nodes.close()
	for _, all := range f.machines {
		for _, d := range all {
			_ = d.Close()
		}
	}
}

// TestExile: the hosts of a dead node are down and no candidates within seconds,
// while their servers are still shown; when the node is back, so are they, with
// what they had.
func TestExile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 5, 2, "a", "b", "c")
		const many = 12
		for i := range many {
			f.must(create(f.all["a"], i))
		}
		onB := 0
		for i := range many {
			if strings.HasPrefix(f.awaitServer("c", i, messages.VMState_VM_STATE_ACTIVE).Host, "b-") {
				onB++
			}
		}
		if onB == 0 || onB == many {
			t.Fatalf("%d of %d servers are on the hosts of b", onB, many)
		}

		died := time.Now()
		f.kill("b")
		v := f.awaitHost("a", "b-h0", false)
		f.awaitHost("c", "b-h1", false)
		if took := time.Since(died); took > 5*time.Second {
			t.Errorf("the hosts of a dead node are down after %v", took)
		}
		if !strings.Contains(v.LostReason, "no node") {
			t.Errorf("the host says why: %q", v.LostReason)
		}
		for i := range many {
			f.awaitServer("a", i, messages.VMState_VM_STATE_ACTIVE)
			f.must(create(f.all["c"], many+i))
			if s := f.awaitServer("a", many+i, messages.VMState_VM_STATE_ACTIVE); strings.HasPrefix(s.Host, "b-") {
				t.Errorf("a server was put on %s, whose node is dead", s.Host)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		for i := range many {
			s := f.awaitServer("a", i, messages.VMState_VM_STATE_ACTIVE)
			if !strings.HasPrefix(s.Host, "b-") {
				continue
			}
			_, err := f.all["a"].Client().Ask(ctx, hostRef(s.Host), &messages.GetConsole{InstanceId: s.Id, MaxBytes: 10})
			if !errors.Is(err, messages.Unavailable) {
				t.Errorf("the console of a server in exile: %v", err)
			}
		}
		cancel()

		f.run("b")
		f.settle()
		f.awaitHost("a", "b-h0", true)
		f.awaitHost("c", "b-h1", true)
		if w, err := f.all["a"].Client().Where(t.Context(), hostRef("b-h0")); err != nil || w.Node != "b" || !w.Active {
			t.Errorf("a host that has come home is at %v, %v", w, err)
		}
		for i := range 2 * many {
			f.awaitServer("b", i, messages.VMState_VM_STATE_ACTIVE)
		}
		for i := range 6 {
			f.must(create(f.all["b"], 100+i))
			f.awaitServer("b", 100+i, messages.VMState_VM_STATE_ACTIVE)
		}
		f.close()
	})
}

// TestDetachHost: a driver that is taken away is not used any more; its host is
// down, and up again on the node that gets it.
func TestDetachHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6, 1, "a", "b")
		f.must(f.all["a"].DetachHost(t.Context(), "a-h0"))
		f.awaitHost("b", "a-h0", false)
		if err := f.all["a"].DetachHost(t.Context(), "a-h0"); !errors.Is(err, messages.NotFound) {
			t.Errorf("detached twice: %v", err)
		}
		f.must(f.all["b"].AttachHost("a-h0", "nova", f.machines["a"][0]))
		f.awaitHost("a", "a-h0", true)
		if w, err := f.all["a"].Client().Where(t.Context(), hostRef("a-h0")); err != nil || w.Node != "b" {
			t.Errorf("it is at %v, %v", w, err)
		}
		f.close()
	})
}

// TestNodesAboutThemselves: who is there, what they do, where a grain is; a node
// that is told to drain gives everything away.
func TestNodesAboutThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{Seed: 7}, counterKind())
		c.start("a", "b", "c")
		for i := range 30 {
			mustCount(t, c.all["a"], fmt.Sprint(i), "x")
		}
		client, total := c.all["c"].Client(), int64(0)
		for i, s := range client.Status(t.Context()) {
			if s.Err != nil || s.Name != string(rune('a'+i)) || len(s.Status.Peers) != 3 || !s.Status.Leased {
				t.Errorf("%s says %v, %v", s.Name, s.Status, s.Err)
			}
			total += s.Status.GetActors()["counter"]
		}
		if total != 30 {
			t.Errorf("%d actors in all", total)
		}
		for i := range 30 {
			w, err := client.Where(t.Context(), counterRef(fmt.Sprint(i)))
			if err != nil || w.Node != c.owner(counterRef(fmt.Sprint(i))) || !w.Active {
				t.Errorf("counter %d is at %v, %v", i, w, err)
			}
		}
		f := func(what string, err, want error) {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		f("drain", client.DrainNode(t.Context(), "a"), nil)
		f("drain nobody", client.DrainNode(t.Context(), "x"), messages.NotFound)
		f("leave, where it cannot", client.LeaveNode(t.Context(), "a"), messages.Invalid)
		if got := c.all["a"].Client().Stats().Actors["counter"]; got != 0 {
			t.Errorf("a drained node has %d actors", got)
		}
		if got := mustCount(t, c.all["a"], "3", "x"); got != 2 {
			t.Errorf("asked through it, counter 3 is at %d", got)
		}
		c.close()
	})
}
