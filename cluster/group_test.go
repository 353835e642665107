package cluster_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/group"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

const webGroup = "6f1c1c1e-0b7a-4f63-8a55-2f1df0a2f001"

// awaitGroup waits until the group, which any node shows, is as wanted.
func (f *fleet) awaitGroup(asked, what string, is func(*messages.GroupView) bool) *messages.GroupView {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Minute)
	defer cancel()
	var v *messages.GroupView
	var err error
	for ctx.Err() == nil {
		v, err = cluster.Ask[*messages.GroupView](ctx, f.all[asked].Client(), group.Ref(webGroup), &messages.GetGroup{})
		if err == nil && is(v) {
			return v
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.t.Fatalf("%s: never; the group is %v, %v", what, v, err)
	return nil
}

// machinesOf is how many members of the group hypervisors have, whether their nodes
// live or not.
func (f *fleet) machinesOf() (n int) {
	f.t.Helper()
	for _, all := range f.machines {
		for _, d := range all {
			domains, err := d.Domains(f.t.Context())
			f.must(err)
			n += len(domains)
		}
	}
	return n
}

// TestGroupOverNodes: a group outlives the node that it lives on, and the members
// that die with it: they are replaced, and do not count, also in a roll, until their
// hosts are back and they are gone.
func TestGroupOverNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 11, 2, "a", "b", "c")
		publish := func(asked, content string) {
			t.Helper()
			f.must(ask(f.all[asked], config.Ref("p", "DEFAULT_GROUP", "app.yaml"), &messages.PublishConfig{Content: content}))
		}
		publish("a", "one")
		f.must(ask(f.all["a"], group.Ref(webGroup), &messages.CreateGroup{
			Name: "web", ProjectId: "p", UserId: "u", Desired: 6,
			Policy: &messages.GroupPolicy{MinHealthy: 4, MaxSurge: 1, HostGraceMs: 2000, RollOnConfig: true},
			Template: &messages.CreateInstance{
				Flavor:   &messages.Flavor{Id: "1", Name: "tiny", Vcpus: 1, RamMib: 64, DiskGib: 1},
				Image:    &messages.ImageRef{Id: "i", Sha256: strings.Repeat("0a", 32), Format: "raw", VirtualBytes: 1},
				Metadata: map[string]string{"troupe:namespace": "p", "troupe:config": "app.yaml"},
			},
		}))
		all := func(revision int64) func(*messages.GroupView) bool {
			return func(v *messages.GroupView) bool {
				return v.Status == group.StatusSettled && v.Healthy == 6 && v.GoodRevision == revision
			}
		}
		f.awaitGroup("b", "built up", all(1))

		dead := f.owner(group.Ref(webGroup))
		f.kill(dead)
		var asked string
		for asked = range f.all {
		}
		time.Sleep(time.Minute) // nobody asks: it has to come up by itself
		if w, err := f.all[asked].Client().Where(t.Context(), group.Ref(webGroup)); err != nil || w.Node == dead || !w.Active {
			t.Errorf("the group is at %v, %v", w, err)
		}
		v := f.awaitGroup(asked, "the dead replaced", all(1))
		lost := lostOf(v, dead)
		if lost == 0 || v.Lost != int32(lost) || v.MembersCount != 6 || len(v.Members) != 6+lost {
			t.Errorf("%d lost, shown as %d; %d of %d members", lost, v.Lost, v.MembersCount, len(v.Members))
		}

		publish(asked, "two")
		v = f.awaitGroup(asked, "rolled to the new config", all(2))
		if now := lostOf(v, dead); now != lost || f.machinesOf() != 6+lost {
			t.Errorf("after a roll %d of %d are lost, and there are %d machines", now, lost, f.machinesOf())
		}

		f.run(dead)
		f.settle()
		f.awaitGroup(dead, "the lost deleted", func(v *messages.GroupView) bool { return all(2)(v) && len(v.Members) == 6 })
		if n := f.machinesOf(); n != 6 {
			t.Errorf("there are %d machines", n)
		}
		f.close()
	})
}

// lostOf is how many members are lost; all have to be on hosts of a node.
func lostOf(v *messages.GroupView, node string) (n int) {
	for _, m := range v.Members {
		if m.State == "lost" && strings.HasPrefix(m.Host, node+"-") && strings.Contains(m.Reason, "is back") {
			n++
		}
	}
	return n
}
