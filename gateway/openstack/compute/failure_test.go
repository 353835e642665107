package compute_test

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/messages"
)

// full is a hypervisor whose disk is full, though its host reckons with room.
var full = sim.Config{DiskRatio: 1e-9, RAMMiB: 1 << 20}

// unplugged is the time after which a lost hypervisor of these tests would come
// back by itself: never, they bring it back.
const unplugged = 24 * time.Hour

// TestDiskFullOnHost: a build for which the hypervisor has no room is cleared
// away, and goes to the next host.
func TestDiskFullOnHost(t *testing.T) {
	w := newWorldOf(t, full, sim.Config{RAMMiB: 4 << 10}) // the full one is preferred
	id := w.create("user", "n", "ACTIVE")
	a := w.do("admin", "2.90", "GET", "/v2.1/servers/"+id, "")
	if a.text("server.OS-EXT-SRV-ATTR:host") != "host-2" || a.get("server.fault") != nil {
		t.Errorf("server: %s", a.body)
	}
	want := "quota=Success@ schedule=Success@host-1 spawn=Error@host-1 clear=Success@host-1 schedule=Success@host-2 spawn=Success@host-2"
	if got := w.steps(id); got != want {
		t.Errorf("the build's steps:\n got %s\nwant %s", got, want)
	}
	w.vacant(0)
	w.remove("user", id)
	w.nothingLeft("user")
}

// TestDiskFullEverywhere: the server is in ERROR, says why, and holds nothing
// but its share of the quota.
func TestDiskFullEverywhere(t *testing.T) {
	for name, hosts := range map[string][]sim.Config{"two hosts": {full, full}, "more than are tried": {full, full, full, full}} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOf(t, hosts...)
			id := w.create("user", "n", "ERROR")
			w.saysFault(id, 500, "GiB of disk")
			w.holdsNothing()
			w.remove("user", id)
			w.nothingLeft("user")
		})
	}
}

// TestHypervisorDown: nothing is placed on a hypervisor that is away, and the
// fault names the filter that took it out.
func TestHypervisorDown(t *testing.T) {
	w := newWorld(t, 2)
	for i, m := range w.machines {
		m.Disconnect("unplugged")
		w.until("it is known to be away", func() bool { return !w.host(i).GetUp() })
	}
	id := w.create("user", "n", "ERROR")
	w.saysFault(id, 500, "No valid host was found. Of 2 hosts: up removed 2.")
	w.holdsNothing()
	list := w.do("admin", "2.90", "GET", "/v2.1/os-hypervisors/detail", "")
	if list.text("hypervisors.0.state") != "down" || list.text("hypervisors.1.state") != "down" {
		t.Errorf("hypervisors: %s", list.body)
	}
	w.remove("user", id)
	w.machines[0].Reconnect()
	w.until("it is back", func() bool { return w.host(0).GetUp() })
	w.remove("user", w.create("user", "n", "ACTIVE"))
	w.machines[1].Reconnect()
	w.nothingLeft("user")
}

// TestHypervisorLostInABuild: whether the build was done before the connection
// broke or not, it ends once the hypervisor is back, with one machine; with none
// if the server was deleted meanwhile.
func TestHypervisorLostInABuild(t *testing.T) {
	for name, tt := range map[string]struct {
		fault   sim.Fault
		deleted bool // meanwhile
	}{
		"before": {sim.LostBefore, false}, "after": {sim.LostAfter, false},
		"before, and deleted": {sim.LostBefore, true}, "after, and deleted": {sim.LostAfter, true},
	} {
		t.Run(name, func(t *testing.T) {
			var once sync.Once
			w := newWorldOf(t, sim.Config{Latency: sim.Latency{Reconnect: unplugged}, Fault: func(op sim.Op, _ string) (f sim.Fault) {
				once.Do(func() { f = tt.fault })
				return f
			}})
			id := w.started("user")
			w.until("the hypervisor is lost", func() bool { return !w.host(0).GetUp() })
			a := w.do("user", "2.90", "GET", "/v2.1/servers/"+id, "")
			if a.text("server.status") != "BUILD" || a.text("server.OS-EXT-STS:task_state") != "spawning" {
				t.Errorf("meanwhile: %s", a.body)
			}
			if tt.deleted {
				if a := w.do("user", "2.90", "DELETE", "/v2.1/servers/"+id, ""); a.status != http.StatusNoContent {
					t.Errorf("delete: %d %s", a.status, a.body)
				}
				w.machines[0].Reconnect()
				w.gone("user", id)
				w.nothingLeft("user")
				return
			}
			w.machines[0].Reconnect()
			w.rests("user", id, "ACTIVE")
			if all := w.domains(0); len(all) != 1 {
				t.Errorf("%d machines: %v", len(all), all)
			}
			w.remove("user", id)
			w.nothingLeft("user")
		})
	}
}

// TestHypervisorLostLater: commands are taken, wait, and end when it is back.
func TestHypervisorLostLater(t *testing.T) {
	w := newWorld(t, 1)
	ids := map[string]string{}
	for _, name := range []string{"stop", "reboot", "delete", "both"} {
		ids[name] = w.create("user", name, "ACTIVE")
	}
	w.machines[0].Disconnect("unplugged")
	w.until("it is known to be away", func() bool { return !w.host(0).GetUp() })
	for name, steps := range map[string][]struct {
		method, body string
		status       int
	}{
		"stop":   {{"POST", `{"os-stop":null}`, 202}},
		"reboot": {{"POST", `{"reboot":{"type":"HARD"}}`, 202}},
		"delete": {{"DELETE", "", 204}},
		"both":   {{"POST", `{"os-stop":null}`, 202}, {"POST", `{"os-start":null}`, 409}, {"DELETE", "", 204}, {"DELETE", "", 204}},
	} {
		for _, s := range steps {
			path := "/v2.1/servers/" + ids[name]
			if s.method == "POST" {
				path += "/action"
			}
			if a := w.do("user", "2.90", s.method, path, s.body); a.status != s.status {
				t.Errorf("%s: %s %s: %d %s", name, s.method, s.body, a.status, a.body)
			}
		}
	}
	for name, task := range map[string]string{"stop": "powering-off", "reboot": "rebooting_hard", "delete": "deleting", "both": "deleting"} {
		a := w.do("user", "2.90", "GET", "/v2.1/servers/"+ids[name], "")
		if a.text("server.OS-EXT-STS:task_state") != task {
			t.Errorf("%s meanwhile: %s, want %s", name, a.text("server.OS-EXT-STS:task_state"), task)
		}
	}
	a := w.do("user", "2.90", "POST", "/v2.1/servers/"+ids["stop"]+"/action", `{"os-getConsoleOutput":{}}`)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("the console: %d %s", a.status, a.body)
	}
	w.machines[0].Reconnect()
	w.rests("user", ids["stop"], "SHUTOFF")
	w.rests("user", ids["reboot"], "ACTIVE")
	w.gone("user", ids["delete"])
	w.gone("user", ids["both"])
	w.remove("user", ids["stop"])
	w.remove("user", ids["reboot"])
	w.nothingLeft("user")
}

// TestContentVanished: the image is known, but its content was lost from the
// disk: no host can build it, and the fault says so.
func TestContentVanished(t *testing.T) {
	store, err := blobs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	info, err := store.Put(t.Context(), strings.NewReader("content"), 100)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOf(t, sim.Config{Images: store}, sim.Config{Images: store})
	const id = "77777777-7777-4777-8777-777777777777"
	w.ask("image", id, &messages.CreateImage{Image: &messages.ImageView{
		Name: "lost", ProjectId: "p-user", Visibility: "private", ContainerFormat: "bare", DiskFormat: "raw",
	}})
	w.ask("image", id, &messages.ImageUploaded{Sha256: info.SHA256, Sha512: info.SHA512, Md5: info.MD5, SizeBytes: info.Size, VirtualBytes: 512})
	built := func(status string) string {
		a := w.do("user", "2.90", "POST", "/v2.1/servers", createBody("n", "t1.micro", id))
		if a.status != http.StatusAccepted {
			t.Fatalf("%d %s", a.status, a.body)
		}
		w.rests("user", a.text("server.id"), status)
		return a.text("server.id")
	}
	w.remove("user", built("ACTIVE"))
	path, err := store.Path(t.Context(), info.SHA256)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	server := built("ERROR")
	w.saysFault(server, 500, "content "+info.SHA256+" is not stored here")
	w.holdsNothing()
	w.remove("user", server)
	w.nothingLeft("user")
}

// started asks for a server and does not wait for it.
func (w *world) started(who string) string {
	w.tb.Helper()
	a := w.do(who, "2.90", "POST", "/v2.1/servers", createBody("n", "t1.micro", smallImage))
	if a.status != http.StatusAccepted {
		w.tb.Fatalf("create: %d %s", a.status, a.body)
	}
	return a.text("server.id")
}

// remove deletes a server and waits until it is gone.
func (w *world) remove(who, id string) {
	w.tb.Helper()
	if a := w.do(who, "2.90", "DELETE", "/v2.1/servers/"+id, ""); a.status != http.StatusNoContent {
		w.tb.Errorf("delete: %d %s", a.status, a.body)
	}
	w.gone(who, id)
}

func (w *world) gone(who, id string) {
	w.tb.Helper()
	w.until("server is gone", func() bool {
		return w.do(who, "2.90", "GET", "/v2.1/servers/"+id, "").status == http.StatusNotFound
	})
}

// steps are those of the server's first action: event=result@host.
func (w *world) steps(id string) string {
	w.tb.Helper()
	list := w.do("admin", "2.90", "GET", "/v2.1/servers/"+id+"/os-instance-actions", "").get("instanceActions").([]any)
	request := list[len(list)-1].(map[string]any)["request_id"].(string)
	a := w.do("admin", "2.90", "GET", "/v2.1/servers/"+id+"/os-instance-actions/"+request, "")
	var all []string
	events, _ := a.get("instanceAction.events").([]any)
	for _, e := range events {
		e := e.(map[string]any)
		host, _ := e["host"].(string)
		all = append(all, e["event"].(string)+"="+e["result"].(string)+"@"+host)
	}
	return strings.Join(all, " ")
}

func (w *world) saysFault(id string, code int, says string) {
	w.tb.Helper()
	a := w.do("user", "2.90", "GET", "/v2.1/servers/"+id, "")
	if a.get("server.fault.code") != float64(code) || a.text("server.fault.message") == "" || a.get("server.fault.details") != nil {
		w.tb.Errorf("to its user the fault is %v, want %d with a message and no details", a.get("server.fault"), code)
	}
	all := w.do("admin", "2.90", "GET", "/v2.1/servers/"+id, "")
	if !strings.Contains(all.text("server.fault.message")+all.text("server.fault.details"), says) {
		w.tb.Errorf("to an administrator the fault is %v, want one saying %q", all.get("server.fault"), says)
	}
	if a.get("server.OS-EXT-STS:power_state") != float64(0) || a.get("server.OS-EXT-SRV-ATTR:host") != nil {
		w.tb.Errorf("power or host of a machine that is none: %s", a.body)
	}
}

// domains are what machine i really has.
func (w *world) domains(i int) []string {
	w.tb.Helper()
	all, err := w.machines[i].Domains(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	var ids []string
	for _, d := range all {
		ids = append(ids, d.ID)
	}
	return ids
}

// vacant: machine i has no domain, and its host no claim.
func (w *world) vacant(i int) {
	w.tb.Helper()
	if h := w.host(i); h.GetInstances() != 0 || h.GetVcpusUsed() != 0 || h.GetRamMibUsed() != 0 || h.GetDiskGibUsed() != 0 {
		w.tb.Errorf("%s still holds claims: %v", hostName(i), h)
	}
	if h := w.host(i); !h.GetUp() {
		return // what it has cannot be asked
	}
	if all := w.domains(i); len(all) != 0 {
		w.tb.Errorf("%s still has %v", hostName(i), all)
	}
}

// holdsNothing: whatever servers there are, no host and no network has anything
// for them.
func (w *world) holdsNothing() {
	w.tb.Helper()
	w.until("the ports are given back", func() bool {
		ports, _, err := w.node.Client().List(w.tb.Context(), cluster.Page{Prefix: network.IndexPorts, Limit: 10})
		if err != nil {
			w.tb.Fatal(err)
		}
		return len(ports) == 0
	})
	for i := range w.machines {
		w.vacant(i)
	}
}

// nothingLeft: and no share of the quota is in use, no server listed.
func (w *world) nothingLeft(who string) {
	w.tb.Helper()
	w.holdsNothing()
	q, err := cluster.Ask[*messages.QuotaView](w.tb.Context(), w.node.Client(),
		actors.Ref{Kind: "project", ID: everybody[who].ProjectID}, &messages.GetQuota{})
	if err != nil {
		w.tb.Fatal(err)
	}
	if q.Used["instances"] != 0 || q.Used["cores"] != 0 || q.Used["ram"] != 0 {
		w.tb.Errorf("quota is still used: %v", q.Used)
	}
	if a := w.do(who, "2.90", "GET", "/v2.1/servers", ""); string(a.body) != "{\"servers\":[]}\n" {
		w.tb.Errorf("still listed: %s", a.body)
	}
}

// TestAddressRefused: the network has the last word on addresses; what it
// refuses ends in ERROR, says why, and leaves the address with whoever has it.
func TestAddressRefused(t *testing.T) {
	w := newWorld(t, 1)
	at := func(ip string) string {
		a := w.do("user", "2.90", "POST", "/v2.1/servers", strings.Replace(with(`"tags":[]`), `"none"`, `[{"uuid":"`+flatNet+`","fixed_ip":"`+ip+`"}]`, 1))
		if a.status != http.StatusAccepted {
			t.Fatalf("%s: %d %s", ip, a.status, a.body)
		}
		return a.text("server.id")
	}
	first := at("10.77.3.3")
	w.rests("user", first, "ACTIVE")
	for ip, says := range map[string]string{"10.77.3.3": "10.77.3.3", "192.0.2.1": "192.0.2.1", "10.77.0.0": "10.77.0.0"} {
		id := at(ip)
		w.rests("user", id, "ERROR")
		w.saysFault(id, 500, says)
		w.remove("user", id)
	}
	if got := w.do("user", "2.90", "GET", "/v2.1/servers/"+first, "").text("server.addresses.flat.0.addr"); got != "10.77.3.3" {
		t.Errorf("the first has %q now", got)
	}
	w.remove("user", first)
	w.nothingLeft("user")
}
