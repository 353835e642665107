package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
)

// upgrade is a cloud whose nodes come to the newest version one by one, and what its
// users have in it.
type upgrade struct {
	*trio
	ctx     context.Context
	image   string
	servers []string // ids
	made    int
}

// TestUpgrade has the nodes of an earlier version give way to newer ones, one by one.
// Servers are made, looked at and deleted through all of them at each step, and belong
// to nodes of both; nothing is left of them afterwards. A node of the earlier version
// may not come back then.
//
// The earlier version is this one that speaks its protocol and writes its formats;
// TROUPE_BEFORE names an earlier program to try with.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	before, pin := os.Getenv("TROUPE_BEFORE"), []string(nil)
	if before == "" {
		pin = []string{"--protocol", "1"}
	}
	u := &upgrade{trio: newTrioOf(t, before, pin, pin, pin), ctx: ctx}
	u.image = u.upload(ctx)
	for _, n := range u.nodes {
		u.create(n)
	}
	for i, n := range u.nodes {
		if err := n.stop(); err != nil {
			t.Fatalf("stop node%d: %v", i+1, err)
		}
		n.program, n.args = "", slices.DeleteFunc(n.args, func(a string) bool { return slices.Contains(pin, a) })
		u.start(n)
		u.step(fmt.Sprintf("with %d of %d new nodes", i+1, len(u.nodes)))
		if got := u.portRows(); i+1 < len(u.nodes) && got != len(u.servers) {
			t.Errorf("with %d new nodes %d of %d ports are listed as earlier nodes need it", i+1, got, len(u.servers))
		}
	}
	for i, n := range u.nodes[:len(u.nodes)-1] { // forget that there were others
		if err := n.stop(); err != nil {
			t.Fatalf("stop node%d: %v", i+1, err)
		}
		u.start(n)
	}
	u.step("among new nodes")
	if got := u.portRows(); got != 0 {
		t.Errorf("%d ports are listed as earlier nodes needed it", got)
	}
	u.refuses(before, pin)
	u.remove(len(u.servers))
	u.nothingLeft()
}

func (u *upgrade) fatal(what string, err error) {
	u.t.Helper()
	if err != nil {
		u.t.Fatalf("%s: %v", what, err)
	}
}

// create makes a server through a node, and waits until every node says it is ACTIVE,
// and how it became so.
func (u *upgrade) create(n *cloud) {
	u.t.Helper()
	nova, err := n.compute(u.ctx)
	u.fatal("log in", err)
	u.made++
	made, err := servers.Create(u.ctx, nova, servers.CreateOpts{
		Name: fmt.Sprintf("s%d", u.made), ImageRef: u.image, FlavorRef: "t1.nano", Networks: "auto",
	}, nil).Extract()
	u.fatal("create a server", err)
	u.servers = append(u.servers, made.ID)
	for i, n := range u.nodes {
		nova, err := n.compute(u.ctx)
		u.fatal("log in", err)
		u.fatal(fmt.Sprintf("through node%d", i+1), eventually(u.ctx, made.ID+" is ACTIVE and says how", func() (bool, error) {
			s, err := servers.Get(u.ctx, nova, made.ID).Extract()
			if err != nil || s.Status != "ACTIVE" {
				return false, fmt.Errorf("%w: %+v", err, s)
			}
			action, err := instanceactions.Get(u.ctx, nova, made.ID, actionRequest(u.ctx, nova, made.ID)).Extract()
			if err != nil || action.Action != "create" || action.Events == nil || len(*action.Events) == 0 {
				return false, fmt.Errorf("%w: %+v", err, action)
			}
			return true, nil
		}))
	}
}

// actionRequest is the request of a server's first action.
func actionRequest(ctx context.Context, nova *gophercloud.ServiceClient, id string) string {
	pages, err := instanceactions.List(nova, id, nil).AllPages(ctx)
	if err != nil {
		return ""
	}
	all, err := instanceactions.ExtractInstanceActions(pages)
	if err != nil || len(all) == 0 {
		return ""
	}
	return all[len(all)-1].RequestID
}

// step makes a server through every node, and deletes as many that were there before.
func (u *upgrade) step(when string) {
	u.t.Helper()
	u.t.Log(when)
	old := len(u.servers)
	for _, n := range u.nodes {
		u.create(n)
	}
	u.remove(old)
}

// remove deletes the oldest servers, each through another node.
func (u *upgrade) remove(many int) {
	u.t.Helper()
	for i, id := range u.servers[:many] {
		nova, err := u.nodes[i%len(u.nodes)].compute(u.ctx)
		u.fatal("log in", err)
		u.fatal("delete a server", servers.Delete(u.ctx, nova, id).ExtractErr())
		u.fatal("a deleted server", eventually(u.ctx, id+" has gone", func() (bool, error) {
			_, err := servers.Get(u.ctx, nova, id).Extract()
			return gophercloud.ResponseCodeIs(err, 404), err
		}))
	}
	u.servers = u.servers[many:]
}

// portRows is how many ports are listed by the server that has them, as only nodes of
// the first protocol need it.
func (u *upgrade) portRows() (n int) {
	u.t.Helper()
	keys, _, err := u.consul.Client(0).KV().Keys(u.prefix+"/", "", nil)
	u.fatal("list keys", err)
	for _, k := range keys {
		if strings.Contains(k, "/port-by-instance/") {
			n++
		}
	}
	return n
}

// refuses starts one more node of the earlier version, which must not become a member.
func (u *upgrade) refuses(before string, pin []string) {
	u.t.Helper()
	token := strings.TrimSpace(u.troupe("cluster", "token", "create", "--consul", u.address(), "--data", u.nodes[0].data))
	n := &cloud{t: u.t, data: u.t.TempDir(), log: &tail{}, program: before}
	err := n.startWith(append(append(u.nodeArgs("node4", n.data), pin...), "--join", token))
	if err == nil {
		err = errors.New("it became a member")
		n.kill()
	}
	if !strings.Contains(err.Error(), "what this cloud stores needs 2") {
		u.t.Errorf("a node of the earlier version: %v", err)
	}
}

// nothingLeft: no port, nothing on a host, in any node's view.
func (u *upgrade) nothingLeft() {
	u.t.Helper()
	for i, n := range u.nodes {
		p, err := n.login(u.ctx)
		u.fatal("log in", err)
		neutron, err := openstack.NewNetworkV2(p, gophercloud.EndpointOpts{})
		u.fatal("log in", err)
		nova, err := n.compute(u.ctx)
		u.fatal("log in", err)
		u.fatal(fmt.Sprintf("node%d", i+1), eventually(u.ctx, "nothing is left", func() (bool, error) {
			pages, err := ports.List(neutron, nil).AllPages(u.ctx)
			if err != nil {
				return false, err
			}
			left, err := ports.ExtractPorts(pages)
			if err != nil || len(left) > 0 {
				return false, fmt.Errorf("%w: the ports %+v", err, left)
			}
			hosts, running, _, err := inUse(u.ctx, nova)
			return err == nil && hosts > 0 && running == 0, fmt.Errorf("%w: %d run on %d hosts", err, running, hosts)
		}))
	}
}
