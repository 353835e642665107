package client_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/troupe-cloud/troupe/client"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/messages"
)

// TestServer: a program creates a server in one call, sees it become ACTIVE, has it
// do things, and sees it go.
func TestServer(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	c, ctx := w.client(pki.Identity{Name: "shop"}, "a"), t.Context()
	spec := client.InstanceSpec{
		ID: "77777777-7777-4777-8777-777777777777", Name: "web", Project: "p", Image: "small", Flavor: "m1.tiny",
		Networks: []client.Network{{Network: "flat"}}, Metadata: map[string]string{"a": "1"},
	}
	v, err := c.CreateInstance(ctx, spec)
	if err != nil || v.Id != spec.ID || v.VmState != messages.VMState_VM_STATE_BUILDING || v.UserId != "client:shop" {
		t.Fatalf("created %v, %v", v, err)
	}
	changes, err := c.WatchInstance(ctx, v.Id)
	if err != nil {
		t.Fatal(err)
	}
	if v = w.become(changes, messages.VMState_VM_STATE_ACTIVE); len(v.Ports) != 1 || v.Host == "" || v.Hostname != "web" {
		t.Errorf("active: %v", v)
	}
	if again, err := c.CreateInstance(ctx, spec); err != nil || again.Id != v.Id || again.CreatedAt != v.CreatedAt {
		t.Errorf("the same again: %v, %v", again, err)
	}
	if err := c.Stop(ctx, v.Id); err != nil {
		t.Fatal(err)
	}
	w.become(changes, messages.VMState_VM_STATE_STOPPED)
	if err := c.Stop(ctx, v.Id); !errors.Is(err, messages.Conflict) {
		t.Errorf("stopped twice: %v", err)
	}
	if err := c.Start(ctx, v.Id); err != nil {
		t.Fatal(err)
	}
	w.become(changes, messages.VMState_VM_STATE_ACTIVE)
	if err := errors.Join(c.RebootHard(client.WithRequest(ctx, "req-mine"), v.Id)); err != nil {
		t.Fatal(err)
	}
	w.become(changes, messages.VMState_VM_STATE_ACTIVE)
	if v, err = c.SetMetadata(ctx, v.Id, map[string]string{"b": "2"}); err != nil || len(v.Metadata) != 2 {
		t.Errorf("metadata: %v, %v", v.GetMetadata(), err)
	}
	if v, err = c.RemoveMetadata(ctx, v.Id, "a"); err != nil || len(v.Metadata) != 1 {
		t.Errorf("metadata: %v, %v", v.GetMetadata(), err)
	}
	if v, err = c.ReplaceMetadata(ctx, v.Id, map[string]string{"c": "3", "d": "4"}); err != nil || v.Metadata["b"] != "" || len(v.Metadata) != 2 {
		t.Errorf("metadata: %v, %v", v.GetMetadata(), err)
	}
	if out, err := c.Console(ctx, v.Id, 0); err != nil || len(out) == 0 {
		t.Errorf("console: %q, %v", out, err)
	}
	history, err := c.InstanceActions(ctx, v.Id)
	if err != nil || len(history) != 4 || history[0].RequestId != "req-mine" {
		t.Errorf("history: %v, %v", history, err)
	}
	if err := c.DeleteInstance(ctx, v.Id); err != nil {
		t.Fatal(err)
	}
	last := client.InstanceChange{}
	for last = range changes {
	}
	if !errors.Is(last.Err, messages.NotFound) {
		t.Errorf("at the end: %+v", last)
	}
}

// TestLists: lists come in pages, and things have names.
func TestLists(t *testing.T) {
	w := newWorld(t, "a")
	c, ctx := w.client(pki.Identity{Name: "shop"}, "a"), t.Context()
	const many = 7
	want := map[string]bool{}
	for i := range many {
		v, err := c.CreateInstance(ctx, client.InstanceSpec{Name: fmt.Sprint("web-", i), Project: "p", Image: smallImage, Flavor: "m1.tiny"})
		if err != nil {
			t.Fatal(err)
		}
		want[v.Id] = true
	}
	for _, project := range []string{"", "p"} {
		n := 0
		for v, err := range c.Instances(ctx, project) {
			if err != nil || !want[v.Id] {
				t.Fatalf("listed %v, %v", v, err)
			}
			n++
		}
		if n != many {
			t.Errorf("project %q has %d servers", project, n)
		}
	}
	for range c.Instances(ctx, "q") {
		t.Error("a server of q is listed")
	}
	for after, n := "", 0; ; {
		page, err := client.Ask[*messages.InstancesView](ctx, c, "cloud", "", &messages.GetInstances{Scope: "p", Limit: 3, After: after})
		if err != nil || len(page.Instances) > 3 {
			t.Fatalf("a page: %v, %v", page, err)
		}
		n += len(page.Instances)
		if after = page.Next; after == "" {
			if n != many {
				t.Errorf("pages have %d servers", n)
			}
			break
		}
	}
	names := map[string]bool{}
	for f, err := range c.Flavors(ctx, "p") {
		names[f.GetName()] = err == nil
	}
	for i, err := range c.Images(ctx, "") {
		names[i.GetName()] = err == nil
	}
	for n, err := range c.Networks(ctx, "q") {
		names[n.GetName()] = err == nil
	}
	if !names["m1.tiny"] || !names["small"] || !names["secret"] || !names["flat"] {
		t.Errorf("listed %v", names)
	}
	if _, err := c.Ask(ctx, "project", "p", &messages.SetQuota{Limits: map[string]int64{"instances": many}}); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		spec client.InstanceSpec
		want error
	}{
		"no name":           {client.InstanceSpec{Project: "p", Image: "small", Flavor: "m1.tiny"}, messages.Invalid},
		"no such image":     {client.InstanceSpec{Name: "x", Project: "p", Image: "none", Flavor: "m1.tiny"}, messages.Invalid},
		"no such flavor":    {client.InstanceSpec{Name: "x", Project: "p", Image: "small", Flavor: "none"}, messages.Invalid},
		"no such network":   {client.InstanceSpec{Name: "x", Project: "p", Image: "small", Flavor: "m1.tiny", Networks: []client.Network{{Network: "none"}}}, messages.Invalid},
		"networks and none": {client.InstanceSpec{Name: "x", Project: "p", Image: "small", Flavor: "m1.tiny", NoNetwork: true, Networks: []client.Network{{Network: "flat"}}}, messages.Invalid},
		"too many":          {client.InstanceSpec{Name: "x", Project: "p", Image: "small", Flavor: "m1.tiny"}, messages.Exhausted},
	} {
		if v, err := c.CreateInstance(ctx, tt.spec); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

// TestConfined: a certificate of a project sees and does what is the project's,
// and none sends what is not for users.
func TestConfined(t *testing.T) {
	w := newWorld(t, "a", "b")
	ctx := t.Context()
	all, own := w.client(pki.Identity{Name: "all"}, "a"), w.client(pki.Identity{Name: "own", Project: "p"}, "b")
	reader := w.client(pki.Identity{Name: "reader", Project: "p", Reader: true}, "a", "b")
	theirs, err := all.CreateInstance(ctx, client.InstanceSpec{Name: "theirs", Project: "q", Image: "secret", Flavor: "m1.tiny"})
	if err != nil {
		t.Fatal(err)
	}
	v, err := own.CreateInstance(ctx, client.InstanceSpec{Name: "ours", Image: "small", Flavor: "m1.tiny"})
	if err != nil || v.ProjectId != "p" {
		t.Fatalf("created %v, %v", v, err)
	}
	if got, err := reader.Instance(ctx, v.Id); err != nil || got.Name != "ours" {
		t.Errorf("read %v, %v", got, err)
	}
	n := 0
	for v, err := range own.Instances(ctx, "") {
		if n++; err != nil || v.Name != "ours" {
			t.Errorf("listed %v, %v", v, err)
		}
	}
	if n != 1 {
		t.Errorf("%d servers are listed", n)
	}
	watched, err := own.WatchInstance(ctx, theirs.Id)
	if err != nil {
		t.Fatal(err)
	}
	if c := <-watched; !errors.Is(c.Err, messages.NotFound) {
		t.Errorf("watched %v", c)
	}
	internal, err := own.Watch(ctx, "host", "host-a", &messages.GetHost{})
	if err != nil {
		t.Fatal(err)
	}
	if c := <-internal; !errors.Is(c.Err, messages.Denied) {
		t.Errorf("watched %v", c)
	}
	if _, open := <-internal; open {
		t.Error("what was refused goes on")
	}
	instances, errs := func(c *client.Client) error {
		for _, err := range c.Instances(ctx, "q") {
			return err
		}
		return nil
	}, map[string]error{}
	errs["another's list"] = instances(own)
	_, errs["another's server"] = own.Instance(ctx, theirs.Id)
	errs["another's deletion"] = own.DeleteInstance(ctx, theirs.Id)
	_, errs["another's console"] = own.Console(ctx, theirs.Id, 0)
	_, errs["another's image"] = own.CreateInstance(ctx, client.InstanceSpec{Name: "x", Image: secret, Flavor: "m1.tiny"})
	_, errs["another's project"] = own.CreateInstance(ctx, client.InstanceSpec{Name: "x", Project: "q", Image: "small", Flavor: "m1.tiny"})
	_, errs["a host"] = own.CreateInstance(ctx, client.InstanceSpec{Name: "x", Image: "small", Flavor: "m1.tiny", Host: "host-a"})
	errs["a reader's deletion"] = reader.DeleteInstance(ctx, v.Id)
	_, errs["a fact"] = all.Ask(ctx, "instance", v.Id, &messages.DomainReported{InstanceId: v.Id, Absent: true})
	_, errs["a claim"] = all.Ask(ctx, "project", "p", &messages.ReleaseQuota{InstanceId: v.Id})
	_, errs["drain"] = all.Ask(ctx, "node", "a", &messages.DrainNode{})
	_, errs["a nudge"] = all.Ask(ctx, "instance", v.Id, &messages.Nudged{})
	for name, err := range errs {
		want := messages.Denied
		switch name {
		case "another's server", "another's deletion", "another's console":
			want = messages.NotFound
		case "another's image":
			want = messages.Invalid
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if _, err := all.Ask(ctx, "node", "b", &messages.GetNodeStatus{}); err != nil {
		t.Errorf("how a node is: %v", err)
	}
}
