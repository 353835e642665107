package compute_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/drivers/sim"
)

// TestWrongState: what a server cannot do in the state it is in is refused in
// Nova's words, and it stays in it.
func TestWrongState(t *testing.T) {
	const (
		start = `{"os-start":null}`
		stop  = `{"os-stop":null}`
		soft  = `{"reboot":{"type":"SOFT"}}`
		hard  = `{"reboot":{"type":"HARD"}}`
		read  = `{"os-getConsoleOutput":{}}`
	)
	for name, tt := range map[string]struct {
		host    sim.Config
		ready   func(*world) string
		refused map[string]string
	}{
		"active": {sim.Config{}, func(w *world) string { return w.create("user", "n", "ACTIVE") },
			map[string]string{start: "Cannot 'start' instance %s while it is in vm_state active"}},
		"stopped": {sim.Config{}, func(w *world) string {
			id := w.create("user", "n", "ACTIVE")
			w.do("user", "2.90", "POST", "/v2.1/servers/"+id+"/action", stop)
			w.rests("user", id, "SHUTOFF")
			return id
		}, map[string]string{
			stop: "Cannot 'stop' instance %s while it is in vm_state stopped",
			soft: "Cannot 'reboot' instance %s while it is in vm_state stopped",
		}},
		"building": {sim.Config{Latency: sim.Latency{Build: unplugged}}, func(w *world) string {
			id := w.started("user")
			w.until("it is being built", func() bool {
				return w.do("user", "2.90", "GET", "/v2.1/servers/"+id, "").text("server.OS-EXT-STS:task_state") == "spawning"
			})
			return id
		}, map[string]string{
			start: "Cannot 'start' instance %s while it is in vm_state building", stop: "Cannot 'stop' instance %s while it is in vm_state building",
			soft: "Cannot 'reboot' instance %s while it is in vm_state building", hard: "Cannot 'reboot' instance %s while it is in vm_state building",
		}},
		"failed, on no host": {full, func(w *world) string { return w.create("user", "n", "ERROR") }, map[string]string{
			start: "Cannot 'start' instance %s while it is in vm_state error", stop: "Cannot 'stop' instance %s",
			soft: "Cannot 'reboot' instance %s while it is in vm_state error", hard: "Cannot 'reboot' instance %s",
			read: "Instance %s is not ready",
		}},
		"stopping": {sim.Config{Latency: sim.Latency{Stop: unplugged}}, func(w *world) string {
			id := w.create("user", "n", "ACTIVE")
			w.do("user", "2.90", "POST", "/v2.1/servers/"+id+"/action", stop)
			return id
		}, map[string]string{
			stop: "Cannot 'stop' instance %s while it is in task_state powering-off",
			hard: "Cannot 'reboot' instance %s while it is in task_state powering-off",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOf(t, tt.host)
			id := tt.ready(w)
			status := w.do("user", "2.90", "GET", "/v2.1/servers/"+id, "").text("server.status")
			for body, says := range tt.refused {
				a := w.do("user", "2.90", "POST", "/v2.1/servers/"+id+"/action", body)
				if a.status != http.StatusConflict || !strings.HasPrefix(a.text("conflictingRequest.message"), strings.Replace(says, "%s", id, 1)) {
					t.Errorf("%s: %d %s", body, a.status, a.body)
				}
				checkFault(t, a)
			}
			if now := w.do("user", "2.90", "GET", "/v2.1/servers/"+id, "").text("server.status"); now != status {
				t.Errorf("it went from %s to %s", status, now)
			}
			w.remove("user", id)
			w.nothingLeft("user")
		})
	}
}
