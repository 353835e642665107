package compute_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/messages"
)

// TestDeleteInEveryState: whatever a server is at, it can be deleted at once, by
// several at a time, and nothing is left of it.
func TestDeleteInEveryState(t *testing.T) {
	stuck := func(l sim.Latency) sim.Config { return sim.Config{Latency: l} }
	act := func(body string) func(*world) string {
		return func(w *world) string {
			id := w.create("user", "n", "ACTIVE")
			if a := w.do("user", "2.90", "POST", "/v2.1/servers/"+id+"/action", body); a.status != http.StatusAccepted {
				w.tb.Fatalf("%s: %d %s", body, a.status, a.body)
			}
			return id
		}
	}
	stopped := func(w *world) string {
		id := act(`{"os-stop":null}`)(w)
		w.rests("user", id, "SHUTOFF")
		return id
	}
	for name, tt := range map[string]struct {
		host  sim.Config
		ready func(*world) string // makes a server
		task  string              // in which it is deleted
	}{
		"just asked for": {sim.Config{}, (*world).builds, "*"},
		"being built":    {stuck(sim.Latency{Build: unplugged}), (*world).builds, "spawning"},
		"active":         {sim.Config{}, func(w *world) string { return w.create("user", "n", "ACTIVE") }, ""},
		"being stopped":  {stuck(sim.Latency{Stop: unplugged}), act(`{"os-stop":null}`), "powering-off"},
		"a deaf guest":   {stuck(sim.Latency{Shutdown: unplugged}), act(`{"os-stop":null}`), "powering-off"},
		"rebooting":      {stuck(sim.Latency{Reboot: unplugged}), act(`{"reboot":{"type":"SOFT"}}`), "rebooting"},
		"rebooting hard": {stuck(sim.Latency{Reboot: unplugged}), act(`{"reboot":{"type":"HARD"}}`), "rebooting_hard"},
		"stopped":        {sim.Config{}, stopped, ""},
		"being started": {stuck(sim.Latency{Start: unplugged}), func(w *world) string {
			id := stopped(w)
			if a := w.do("user", "2.90", "POST", "/v2.1/servers/"+id+"/action", `{"os-start":null}`); a.status != http.StatusAccepted {
				w.tb.Fatal(a)
			}
			return id
		}, "powering-on"},
		"failed": {full, func(w *world) string { return w.create("user", "n", "ERROR") }, ""},
		"its machine is gone": {sim.Config{}, func(w *world) string {
			id := w.create("user", "n", "ACTIVE")
			w.machines[0].Vanish(id)
			w.rests("user", id, "ERROR")
			return id
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOf(t, tt.host)
			id := tt.ready(w)
			if tt.task != "*" {
				w.until("it is "+tt.task, func() bool {
					return w.do("user", "2.90", "GET", "/v2.1/servers/"+id, "").text("server.OS-EXT-STS:task_state") == tt.task
				})
			}
			var deletes sync.WaitGroup
			for range 3 {
				deletes.Go(func() {
					a := w.do("user", "2.90", "DELETE", "/v2.1/servers/"+id, "")
					if a.status != http.StatusNoContent && a.status != http.StatusNotFound {
						t.Errorf("%d %s", a.status, a.body)
					}
				})
			}
			deletes.Wait()
			w.gone("user", id)
			w.nothingLeft("user")
			a := w.do("user", "2.90", "DELETE", "/v2.1/servers/"+id, "")
			if a.status != http.StatusNotFound {
				t.Errorf("once more: %d %s", a.status, a.body)
			}
			actions := w.do("user", "2.90", "GET", "/v2.1/servers/"+id+"/os-instance-actions", "")
			if n := strings.Count(string(actions.body), `"action":"delete"`); n != 1 {
				t.Errorf("the history has %d deletes: %s", n, actions.body)
			}
		})
	}
}

func (w *world) builds() string { return w.started("user") }

// TestQuotaUnderLoad: however many ask at once, the quota is what is given.
func TestQuotaUnderLoad(t *testing.T) {
	const users, quota = 64, 10 // the default of a project
	w := newWorld(t, 3)
	var taken, refused atomic.Int64
	var all sync.WaitGroup
	for range users {
		all.Go(func() {
			a := w.do("user", "2.90", "POST", "/v2.1/servers", createBody("n", "t1.nano", smallImage))
			switch {
			case a.status == http.StatusAccepted:
				taken.Add(1)
			case a.status == http.StatusForbidden && strings.Contains(string(a.body), "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances"):
				refused.Add(1)
			default:
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	if taken.Load() != quota || refused.Load() != users-quota {
		t.Errorf("%d taken, %d refused", taken.Load(), refused.Load())
	}
	servers, _ := w.do("user", "2.90", "GET", "/v2.1/servers", "").get("servers").([]any)
	if len(servers) != quota {
		t.Errorf("%d servers", len(servers))
	}
	for _, s := range servers {
		w.remove("user", s.(map[string]any)["id"].(string))
	}
	w.nothingLeft("user")
}

// TestCreateAgain: the same command again, as the cluster repeats it when an
// activation ends under it, makes no second server.
func TestCreateAgain(t *testing.T) {
	w := newWorld(t, 1)
	m := &messages.CreateInstance{
		Id: uuid.NewString(), Name: "n", ProjectId: "p-user", UserId: "u-user",
		Flavor: &messages.Flavor{Id: "1", Name: "f", Vcpus: 1, RamMib: 64, DiskGib: 1},
		Image:  &messages.ImageRef{Id: smallImage, Sha256: strings.Repeat("a", 64), Format: "qcow2", VirtualBytes: 1 << 20},
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { w.ask("instance", m.Id, m) })
	}
	all.Wait()
	w.rests("user", m.Id, "ACTIVE")
	w.ask("instance", m.Id, m)
	used := w.do("user", "2.90", "GET", "/v2.1/limits", "").get("limits.absolute.totalInstancesUsed")
	if n := len(w.domains(0)); n != 1 || used != float64(1) {
		t.Errorf("%d machines, quota used %v", n, used)
	}
	w.remove("user", m.Id)
	w.ask("instance", m.Id, m) // very late
	w.nothingLeft("user")
}

// TestClientThatHangsUp: a request for several servers makes all or none, also
// if its client does not wait for the answer.
func TestClientThatHangsUp(t *testing.T) {
	const several = 5
	w := newWorld(t, 1)
	for round := range 10 {
		ctx, hangUp := context.WithCancel(t.Context())
		body := strings.NewReader(with(`"min_count":5,"max_count":5`))
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/v2.1/servers", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Auth-Token", "user")
		r.Header.Set("OpenStack-API-Version", "compute 2.90")
		r.Header.Set("Content-Type", "application/json")
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			if resp, err := http.DefaultClient.Do(r); err == nil {
				resp.Body.Close()
			}
		}()
		w.until("some are there", func() bool { return len(w.listed()) > round%several })
		hangUp()
		<-answered
		w.until("all are built", func() bool {
			return strings.Count(string(w.do("user", "2.90", "GET", "/v2.1/servers/detail", "").body), `"ACTIVE"`) == several
		})
		for _, id := range w.listed() {
			w.remove("user", id)
		}
		w.nothingLeft("user")
	}
}

func (w *world) listed() (ids []string) {
	w.tb.Helper()
	servers, _ := w.do("user", "2.90", "GET", "/v2.1/servers", "").get("servers").([]any)
	for _, s := range servers {
		ids = append(ids, s.(map[string]any)["id"].(string))
	}
	return ids
}

// TestUserDataIsNotRead: what a guest is given is bytes; they come out as they
// went in.
func TestUserDataIsNotRead(t *testing.T) {
	w := newWorld(t, 1)
	for name, data := range map[string]string{
		"bytes": "\x00\xff\xfe#cloud-config\n\xc3(", "none": "", "as long as can be": strings.Repeat("\xff", 49149),
	} {
		text := base64.StdEncoding.EncodeToString([]byte(data))
		a := w.do("user", "2.90", "POST", "/v2.1/servers", with(`"user_data":"`+text+`"`))
		if a.status != http.StatusAccepted {
			t.Errorf("%s: %d %s", name, a.status, a.body)
			continue
		}
		id := a.text("server.id")
		w.rests("user", id, "ACTIVE")
		v, err := cluster.Ask[*messages.InstanceView](t.Context(), w.node.Client(), actors.Ref{Kind: "instance", ID: id}, &messages.GetInstance{})
		if err != nil || string(v.UserData) != data {
			t.Errorf("%s: %d bytes came out of %d, %v", name, len(v.GetUserData()), len(data), err)
		}
		if shown := w.do("admin", "2.90", "GET", "/v2.1/servers/"+id, "").text("server.OS-EXT-SRV-ATTR:user_data"); shown != text {
			t.Errorf("%s is shown as %.50q", name, shown)
		}
	}
}
