package compute_test

import (
	"net/http"
	"testing"

	"github.com/troupe-cloud/troupe/drivers/sim"
)

// action asks a server to do something.
func (w *world) action(who, version, id, body string) answer {
	w.tb.Helper()
	return w.do(who, version, "POST", "/v2.1/servers/"+id+"/action", body)
}

// on is the host that a server says it is on.
func (w *world) on(id string) string {
	return w.do("admin", "2.96", "GET", "/v2.1/servers/"+id, "").text("server.OS-EXT-SRV-ATTR:host")
}

// machine is the hypervisor of the host on which a server is, and its number.
func (w *world) machine(id string) (*sim.Driver, int) {
	w.tb.Helper()
	name := w.on(id)
	for i, d := range w.machines {
		if hostName(i) == name {
			return d, i
		}
	}
	w.tb.Fatalf("server %s is on %q", id, name)
	return nil, 0
}

// lose takes a server's hypervisor away until the returned function brings it back.
func (w *world) lose(id string) (back func()) {
	w.tb.Helper()
	d, i := w.machine(id)
	d.Disconnect("the machine burns")
	w.until("the host is down", func() bool { return !w.host(i).GetUp() })
	return func() {
		d.Reconnect()
		w.until("the host is up", func() bool { return w.host(i).GetUp() })
	}
}

// hostStatus waits until a server shows how its host is: that may be a moment old.
func (w *world) hostStatus(id, want string) {
	w.tb.Helper()
	w.until("host_status is "+want, func() bool {
		return w.do("admin", "2.96", "GET", "/v2.1/servers/"+id, "").text("server.host_status") == want
	})
}

// has says whether a hypervisor has the server's machine, and whether it runs.
func (w *world) has(d *sim.Driver, id string) (there, runs bool) {
	dom, err := d.Domain(w.tb.Context(), id)
	return err == nil, err == nil && dom.Power == 1
}

func TestEvacuate(t *testing.T) {
	storage, err := sim.OpenShared(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		host    sim.Config
		stopped bool // before
		version string
		body    string
		status  string // afterwards
		empty   bool   // the answer
	}{
		"running, old API":    {sim.Config{}, false, "2.13", `{"evacuate":{"onSharedStorage":false}}`, "ACTIVE", false},
		"running":             {sim.Config{}, false, "2.94", `{"evacuate":{}}`, "ACTIVE", true},
		"stopped":             {sim.Config{}, true, "2.94", `{"evacuate":{"adminPass":"secret"}}`, "SHUTOFF", true},
		"left off, as of 95":  {sim.Config{}, false, "2.96", `{"evacuate":{}}`, "SHUTOFF", true},
		"forced":              {sim.Config{}, false, "2.67", `{"evacuate":{"host":"TARGET","force":true}}`, "ACTIVE", true},
		"shared storage":      {sim.Config{Shared: storage}, false, "2.94", `{"evacuate":{}}`, "ACTIVE", true},
		"shared storage, old": {sim.Config{Shared: storage}, true, "2.1", `{"evacuate":{"onSharedStorage":"True"}}`, "SHUTOFF", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOf(t, tt.host, tt.host)
			id := w.create("user", "n", "ACTIVE")
			if tt.stopped {
				w.action("user", "2.1", id, `{"os-stop":null}`)
				w.rests("user", id, "SHUTOFF")
			}
			before := w.do("user", "2.96", "GET", "/v2.1/servers/"+id, "")
			old, i := w.machine(id)
			target := hostName(1 - i)
			back := w.lose(id)
			w.hostStatus(id, "UNKNOWN")
			body := replaced(tt.body, target)
			a := w.action("admin", tt.version, id, body)
			if a.status != http.StatusOK || (len(a.body) == 0) != tt.empty {
				t.Fatalf("%d %s", a.status, a.body)
			}
			w.rests("user", id, tt.status)
			after := w.do("user", "2.96", "GET", "/v2.1/servers/"+id, "")
			if got, want := after.text("server.addresses.flat.0.addr"), before.text("server.addresses.flat.0.addr"); got == "" || got != want {
				t.Errorf("the address was %q and is %q", want, got)
			}
			if on := w.on(id); on != target {
				t.Errorf("it is on %q, not on %q", on, target)
			}
			if there, runs := w.has(w.machines[1-i], id); !there || runs != (tt.status == "ACTIVE") {
				t.Errorf("on the new host: %v, runs %v", there, runs)
			}
			w.history(id)
			back()
			w.until("the old host has cleared away what it had", func() bool {
				there, _ := w.has(old, id)
				return !there && w.host(i).GetInstances() == 0
			})
			w.until("the migration is complete", func() bool {
				return w.do("admin", "2.59", "GET", "/v2.1/os-migrations?instance_uuid="+id, "").text("migrations.0.status") == "completed"
			})
			w.action("user", "2.1", id, `{"reboot":{"type":"HARD"}}`) // its disk is still there
			w.rests("user", id, "ACTIVE")
			if a := w.do("user", "2.1", "DELETE", "/v2.1/servers/"+id, ""); a.status != http.StatusNoContent {
				t.Errorf("delete: %d %s", a.status, a.body)
			}
			w.gone("user", id)
			w.nothingLeft("user")
		})
	}
}

// history checks what is written of an evacuation.
func (w *world) history(id string) {
	w.tb.Helper()
	a := w.do("admin", "2.62", "GET", "/v2.1/servers/"+id+"/os-instance-actions", "")
	if a.text("instanceActions.0.action") != "evacuate" || a.get("instanceActions.0.message") != nil {
		w.tb.Errorf("the history does not begin with a good evacuation: %s", a.body)
	}
	m := w.do("admin", "2.80", "GET", "/v2.1/os-migrations?migration_type=evacuation&status=done", "")
	if m.text("migrations.0.instance_uuid") != id || m.text("migrations.0.migration_type") != "evacuation" ||
		m.text("migrations.0.dest_compute") != w.on(id) || m.text("migrations.0.source_compute") == w.on(id) || m.text("migrations.0.user_id") != "u-admin" {
		w.tb.Errorf("the migration is not listed: %s", m.body)
	}
}

func replaced(body, target string) string {
	for i := range len(body) - 5 {
		if body[i:i+6] == "TARGET" {
			return body[:i] + target + body[i+6:]
		}
	}
	return body
}

func TestEvacuateRefused(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create("user", "n", "ACTIVE")
	_, i := w.machine(id)
	refused := func(what, who, version, body string, status int) {
		t.Helper()
		if a := w.action(who, version, id, body); a.status != status {
			t.Errorf("%s: %d %s, want %d", what, a.status, a.body, status)
		}
	}
	refused("by a user", "user", "2.14", `{"evacuate":{}}`, http.StatusForbidden)
	refused("from a host that is up", "admin", "2.14", `{"evacuate":{}}`, http.StatusBadRequest)
	refused("to a host that is not there", "admin", "2.14", `{"evacuate":{"host":"nowhere"}}`, http.StatusNotFound)
	refused("to the same host", "admin", "2.14", `{"evacuate":{"host":"`+hostName(i)+`"}}`, http.StatusBadRequest)
	refused("forced to nowhere", "admin", "2.29", `{"evacuate":{"force":true}}`, http.StatusBadRequest)
	refused("without a word on the storage", "admin", "2.13", `{"evacuate":{}}`, http.StatusBadRequest)
	refused("with one where it is found out", "admin", "2.14", `{"evacuate":{"onSharedStorage":true}}`, http.StatusBadRequest)
	refused("forced where nothing is", "admin", "2.68", `{"evacuate":{"host":"host-2","force":true}}`, http.StatusBadRequest)
	refused("a password on a disk that is there", "admin", "2.13", `{"evacuate":{"onSharedStorage":true,"adminPass":"x"}}`, http.StatusBadRequest)
	back := w.lose(id)
	refused("as shared, which it is not", "admin", "2.13", `{"evacuate":{"onSharedStorage":true}}`, http.StatusBadRequest)
	back()
	w.rests("user", id, "ACTIVE")
}

// TestForcedDown: an operator may declare a host down that is up. What is on it is
// powered off before it is built elsewhere.
func TestForcedDown(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create("user", "n", "ACTIVE")
	old, i := w.machine(id)
	force := func(down string) {
		t.Helper()
		a := w.do("admin", "2.11", "PUT", "/v2.1/os-services/force-down", `{"host":"`+hostName(i)+`","binary":"nova-compute","forced_down":`+down+`}`)
		if a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	force("true")
	w.hostStatus(id, "DOWN")
	if a := w.action("admin", "2.14", id, `{"evacuate":{}}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.rests("user", id, "ACTIVE")
	if w.on(id) == hostName(i) {
		t.Error("it is where it was")
	}
	w.until("the old host has nothing of it", func() bool {
		there, _ := w.has(old, id)
		return !there
	})
	force("false")
	w.create("user", "m", "ACTIVE")
}

// TestNowhereToEvacuateTo: what cannot be built elsewhere stays what it was, and is
// its old host's again when that is back.
func TestNowhereToEvacuateTo(t *testing.T) {
	w := newWorld(t, 1)
	id := w.create("user", "n", "ACTIVE")
	d, _ := w.machine(id)
	back := w.lose(id)
	if a := w.action("admin", "2.14", id, `{"evacuate":{}}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.rests("user", id, "ERROR")
	back()
	w.rests("user", id, "ACTIVE") // nobody has touched the machine
	if there, runs := w.has(d, id); !there || !runs {
		t.Errorf("there %v, runs %v", there, runs)
	}
}

// TestDeleteHost: a host is forgotten that is gone and has nothing.
func TestDeleteHost(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create("user", "n", "ACTIVE")
	_, i := w.machine(id)
	back := w.lose(id)
	service := w.do("admin", "2.53", "GET", "/v2.1/os-services?host="+hostName(i), "").text("services.0.id")
	remove := func() int { return w.do("admin", "2.53", "DELETE", "/v2.1/os-services/"+service, "").status }
	if got := remove(); got != http.StatusConflict {
		t.Errorf("with a server on it: %d", got)
	}
	if a := w.action("admin", "2.14", id, `{"evacuate":{}}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.rests("user", id, "ACTIVE")
	w.until("it is forgotten", func() bool { return remove() == http.StatusNoContent })
	if n := len(w.do("admin", "2.53", "GET", "/v2.1/os-services", "").get("services").([]any)); n != 1 {
		t.Errorf("%d services are listed", n)
	}
	back() // and is a host like any other
	w.until("what it still had is gone", func() bool {
		there, _ := w.has(w.machines[i], id)
		return !there
	})
	w.rests("user", id, "ACTIVE")
}
