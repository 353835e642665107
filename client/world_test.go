package client_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/keypair"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/actors/project"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/client"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/pki/pkitest"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/gateway/native"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience bounds what a test waits for; nothing is expected to need it.
const patience = time.Minute

const (
	smallImage = "11111111-1111-4111-8111-111111111111"
	secret     = "22222222-2222-4222-8222-222222222222" // an image of project q alone
	flatNet    = "44444444-4444-4444-8444-444444444444"
)

// world is a cluster of nodes in this process, over mutual TLS on loopback, each
// with a simulated hypervisor.
type world struct {
	t     testing.TB
	ca    *pkitest.Cluster
	table *membership.Memory
	store store.Store
	nodes map[string]*node
}

type node struct {
	*cluster.Node
	net *cluster.Connection
}

func newWorld(t testing.TB, names ...string) *world {
	t.Helper()
	w := &world{t: t, ca: pkitest.New(t), table: membership.NewMemory(0), store: mem.New(), nodes: map[string]*node{}}
	t.Cleanup(w.table.Close)
	for _, name := range names {
		w.start(name)
	}
	w.seed(w.nodes[names[0]])
	for name := range w.nodes {
		w.until(name+"'s host is up", func() bool {
			v, err := cluster.Ask[*messages.HostView](t.Context(), w.nodes[names[0]].Client(), actors.Ref{Kind: host.Kind, ID: "host-" + name}, &messages.GetHost{})
			return err == nil && v.GetFacts().GetUp()
		})
	}
	return w
}

func (w *world) start(name string) {
	w.t.Helper()
	log := zerolog.Nop()
	net, err := cluster.Connect(w.t.Context(),
		peer.Config{Cluster: w.ca.ID, Bind: "127.0.0.1:0", TLS: w.ca.Node(w.t, name), Log: log},
		membership.Config{Table: w.table.As(name), Self: view.Member{Name: name, Roles: view.AllRoles}, Log: log})
	if err != nil {
		w.t.Fatal(err)
	}
	n, err := cluster.Start(w.t.Context(), cluster.Config{
		Name: name, Store: w.store, Log: log, Network: net, DrainTimeout: time.Second,
		Kinds: []actors.Kind{
			instance.Spec(), host.Spec(), scheduler.Spec(scheduler.Filter), project.Spec(), image.Spec(), flavor.Spec(), keypair.Spec(), network.Spec(),
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	n.ServeClients(native.New(n.Client()))
	d := sim.New(sim.Config{Name: name + ".example"})
	if err := n.AttachHost("host-"+name, "nova", d); err != nil {
		w.t.Fatal(err)
	}
	w.nodes[name] = &node{n, net}
	w.t.Cleanup(func() {
		w.stop(name)
		_ = d.Close()
	})
}

// stop has a node leave in order.
func (w *world) stop(name string) {
	n := w.nodes[name]
	if n == nil {
		return
	}
	delete(w.nodes, name)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		w.t.Logf("node %s: %v", name, err) // the last one has nobody to hand over to
	}
	_ = n.net.Close(ctx)
}

// kill ends all that a node can say or hear, at once, and then what is left of it.
func (w *world) kill(name string) {
	n := w.nodes[name]
	delete(w.nodes, name)
	now, cancel := context.WithCancel(context.Background())
	cancel()
	w.table.Cut(name, true)
	_ = n.net.Server().Stop(now)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = n.Stop(ctx) // it can neither leave nor save anything
	n.net.Membership.Close()
}

func (w *world) address(name string) string { return w.nodes[name].net.Server().Self().Address }

// seed makes what a new cloud has: flavors, images, the flat network.
func (w *world) seed(n *node) {
	w.t.Helper()
	ask := func(kind, id string, m proto.Message) {
		w.t.Helper()
		if _, err := n.Client().Ask(w.t.Context(), actors.Ref{Kind: kind, ID: id}, m); err != nil {
			w.t.Fatalf("%s %s: %v", kind, id, err)
		}
	}
	for _, f := range flavor.Defaults() {
		ask("flavor", f.Id, &messages.CreateFlavor{Flavor: f})
	}
	for id, of := range map[string]*messages.ImageView{
		smallImage: {Name: "small", ProjectId: "p", Visibility: "public"}, secret: {Name: "secret", ProjectId: "q", Visibility: "private"},
	} {
		of.ContainerFormat, of.DiskFormat = "bare", "qcow2"
		ask("image", id, &messages.CreateImage{Image: of})
		ask("image", id, &messages.ImageUploaded{
			Sha256: strings.Repeat("a", 64), Sha512: strings.Repeat("b", 128), Md5: strings.Repeat("c", 32), SizeBytes: 1 << 20, VirtualBytes: 1 << 20,
		})
	}
	ask("network", flatNet, &messages.CreateNetwork{Id: flatNet, Name: "flat", ProjectId: "p", Shared: true})
	ask("network", flatNet, &messages.CreateSubnet{Subnet: &messages.Subnet{
		Id: "55555555-5555-4555-8555-555555555555", Name: "flat", NetworkId: flatNet, Cidr: "10.77.0.0/16", Dhcp: true,
	}})
}

// client is a program with that certificate, which knows these nodes.
func (w *world) client(who pki.Identity, nodes ...string) *client.Client {
	w.t.Helper()
	who.Role = pki.Client
	var addresses []string
	for _, name := range nodes {
		addresses = append(addresses, w.address(name))
	}
	c, err := client.Open(w.t.Context(), client.Config{Addresses: addresses, Source: w.ca.Source(w.t, who, pki.DefaultClientLife)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	return c
}

// until waits for something to become true; there is no event for what many
// actors settle among themselves.
func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("never: %s", what)
		}
	}
}

// become waits until a server is so.
func (w *world) become(changes <-chan client.InstanceChange, what messages.VMState) *messages.InstanceView {
	w.t.Helper()
	var seen []string
	limit := time.After(patience)
	for {
		select {
		case c, open := <-changes:
			if !open || c.Err != nil {
				w.t.Fatalf("the watch ended (%v) after %v", c.Err, seen)
			}
			seen = append(seen, fmt.Sprint(c.Instance.VmState, "/", c.Instance.TaskState))
			if c.Instance.VmState == what && c.Instance.TaskState == 0 {
				return c.Instance
			}
		case <-limit:
			w.t.Fatalf("it never became %v; seen: %v", what, seen)
		}
	}
}

// other is a certificate of another cluster.
func other(t testing.TB) *pki.Source {
	return pkitest.New(t).Source(t, pki.Identity{Role: pki.Client, Name: "shop"}, pki.DefaultClientLife)
}
