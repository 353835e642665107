package compute_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/keypair"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/actors/project"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/openstack/api/apitest"
	"github.com/troupe-cloud/troupe/gateway/openstack/compute"
	"github.com/troupe-cloud/troupe/messages"
)

// Identities that the tests refer to.
const (
	smallImage = "11111111-1111-4111-8111-111111111111" // fits every flavor with a disk
	largeImage = "22222222-2222-4222-8222-222222222222" // 10 GiB
	emptyImage = "33333333-3333-4333-8333-333333333333" // never uploaded
	flatNet    = "44444444-4444-4444-8444-444444444444"
	someID     = "99999999-9999-4999-8999-999999999999" // of nothing
)

// everybody are who the tests ask as, by token.
var everybody = apitest.People{
	"admin":  {UserID: "u-admin", UserName: "admin", ProjectID: "p-admin", ProjectName: "admin", Roles: []string{"admin", "member"}},
	"user":   {UserID: "u-user", UserName: "user", ProjectID: "p-user", ProjectName: "user", Roles: []string{"member"}},
	"other":  {UserID: "u-other", UserName: "other", ProjectID: "p-other", ProjectName: "other", Roles: []string{"member"}},
	"reader": {UserID: "u-reader", UserName: "reader", ProjectID: "p-user", ProjectName: "user", Roles: []string{"reader"}},
}

// world is a cloud of one node with the simulated hypervisor, and its server.
type world struct {
	tb       testing.TB
	machines []*sim.Driver // host-1, host-2, ...
	node     *cluster.Node
	url      string // ends in /compute
}

func newWorld(tb testing.TB, hosts int) *world {
	tb.Helper()
	return newWorldOf(tb, make([]sim.Config, hosts)...)
}

// newWorldOf is a world with these hypervisors, which get their names here.
func newWorldOf(tb testing.TB, hosts ...sim.Config) *world {
	tb.Helper()
	node, err := cluster.Start(tb.Context(), cluster.Config{
		Name: "n1", Store: mem.New(), Log: zerolog.New(zerolog.NewTestWriter(tb)).Level(zerolog.ErrorLevel),
		Kinds: []actors.Kind{
			instance.Spec(), host.Spec(), scheduler.Spec(scheduler.Filter), project.Spec(), image.Spec(), flavor.Spec(), keypair.Spec(), network.Spec(),
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{tb: tb, node: node}
	for i, c := range hosts {
		c.Name = hostName(i) + ".example"
		d := sim.New(c)
		if err := node.AttachHost(hostName(i), "nova", d); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = d.Close() })
		w.machines = append(w.machines, d)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := node.Stop(ctx); err != nil {
			tb.Error(err)
		}
	})
	w.seed()
	s := api.NewServer(api.Config{Auth: everybody, Log: zerolog.New(zerolog.NewTestWriter(tb)).Level(zerolog.ErrorLevel)})
	s.Mount(compute.New(compute.Config{Client: node.Client()}).Dialect())
	web := httptest.NewServer(s.Handler())
	tb.Cleanup(web.Close)
	w.url = web.URL + compute.Prefix
	for i := range hosts {
		w.until(hostName(i)+" is up", func() bool { return w.host(i).GetUp() })
	}
	return w
}

func hostName(i int) string { return fmt.Sprintf("host-%d", i+1) }

// host is what the actor of machine i says; nil before it knows anything.
func (w *world) host(i int) *messages.HostFacts {
	h, err := cluster.Ask[*messages.HostView](w.tb.Context(), w.node.Client(), actors.Ref{Kind: "host", ID: hostName(i)}, &messages.GetHost{})
	if err != nil {
		return nil
	}
	return h.Facts
}

func (w *world) ask(kind, id string, m actors.Message) {
	w.tb.Helper()
	if _, err := w.node.Client().Ask(w.tb.Context(), actors.Ref{Kind: kind, ID: id}, m); err != nil {
		w.tb.Fatalf("%s %s: %v", kind, id, err)
	}
}

// seed makes what a new cloud has: flavors, images, the flat network.
func (w *world) seed() {
	w.tb.Helper()
	for _, f := range flavor.Defaults() {
		w.ask("flavor", f.Id, &messages.CreateFlavor{Flavor: f})
	}
	for id, gib := range map[string]int64{smallImage: 0, largeImage: 10, emptyImage: -1} {
		w.ask("image", id, &messages.CreateImage{Image: &messages.ImageView{
			Name: "image", ProjectId: "p-admin", Visibility: "public", ContainerFormat: "bare", DiskFormat: "qcow2",
		}})
		if gib >= 0 {
			w.ask("image", id, &messages.ImageUploaded{
				Sha256: strings.Repeat("a", 64), Sha512: strings.Repeat("b", 128), Md5: strings.Repeat("c", 32),
				SizeBytes: 1 << 20, VirtualBytes: max(1<<20, gib<<30),
			})
		}
	}
	w.ask("network", flatNet, &messages.CreateNetwork{Id: flatNet, Name: "flat", ProjectId: "p-admin", Shared: true})
	w.ask("network", flatNet, &messages.CreateSubnet{Subnet: &messages.Subnet{
		Id: "55555555-5555-4555-8555-555555555555", Name: "flat", NetworkId: flatNet, Cidr: "10.77.0.0/16", Dhcp: true,
	}})
}

// until waits for something to become true; there is no event for what many
// actors settle among themselves.
func (w *world) until(what string, done func() bool) {
	w.tb.Helper()
	ctx, cancel := context.WithTimeout(w.tb.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.tb.Fatalf("never: %s", what)
		}
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) get(path string) any {
	var v any
	_ = json.Unmarshal(a.body, &v)
	for _, step := range strings.Split(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[step]
		case []any:
			i := 0
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(node) {
				return nil
			}
			v = node[i]
		}
	}
	return v
}

func (a answer) text(path string) string {
	s, _ := a.get(path).(string)
	return s
}

// do sends one request as a user; version "" asks for none.
func (w *world) do(who, version, method, path, body string) answer {
	w.tb.Helper()
	req, err := http.NewRequestWithContext(w.tb.Context(), method, w.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		w.tb.Fatal(err)
	}
	if who != "" {
		req.Header.Set("X-Auth-Token", who)
	}
	if version != "" {
		req.Header.Set("OpenStack-API-Version", "compute "+version)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.tb.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, raw}
}

// create makes a server and waits until it rests in a status.
func (w *world) create(who, name, status string) string {
	w.tb.Helper()
	a := w.do(who, "2.96", "POST", "/v2.1/servers", createBody(name, "t1.micro", smallImage))
	if a.status != http.StatusAccepted {
		w.tb.Fatalf("create: %d %s", a.status, a.body)
	}
	id := a.text("server.id")
	w.rests(who, id, status)
	return id
}

func (w *world) rests(who, id, status string) {
	w.tb.Helper()
	w.until("server is "+status, func() bool {
		a := w.do(who, "2.96", "GET", "/v2.1/servers/"+id, "")
		return a.text("server.status") == status && a.get("server.OS-EXT-STS:task_state") == nil
	})
}

func createBody(name, flavorRef, imageRef string) string {
	return fmt.Sprintf(`{"server":{"name":%q,"flavorRef":%q,"imageRef":%q,"networks":"auto"}}`, name, flavorRef, imageRef)
}
