package eureka

import (
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/messages/encode"
)

// status answers GET /status: how this node is. It has no peers that it would tell
// anything.
func (a *API) status(x *request) (reply, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	const mib = 1 << 20
	up := a.cfg.Now().Sub(a.began).Round(time.Minute)
	general := [][2]string{
		{"environment", a.cfg.Environment}, {"num-of-cpus", fmt.Sprint(runtime.NumCPU())},
		{"total-avail-memory", fmt.Sprintf("%dmb", m.Sys/mib)},
		{"current-memory-usage", fmt.Sprintf("%dmb (%d%%)", m.HeapAlloc/mib, 100*m.HeapAlloc/max(m.Sys, 1))},
		{"server-uptime", fmt.Sprintf("%02d:%02d", int(up.Hours()), int(up.Minutes())%60)},
	}
	peers := [][2]string{{"registered-replicas", ""}, {"available-replicas", ""}, {"unavailable-replicas", ""}}
	if x.json {
		b := append([]byte(`{"generalStats":`), jsonPairs(general)...)
		b = append(append(b, `,"applicationStats":`...), jsonPairs(peers)...)
		b = append(b, `,"instanceInfo":`...)
		b = appendJSON(b, a.self(x), added, false)
		return reply{rendered: rendered{body: append(b, `,"isHeathly":true}`...)}}, nil // as Eureka spells it
	}
	w := xmlWriter{}
	w.open(statusElement)
	for _, part := range []struct {
		name string
		of   [][2]string
	}{{"generalStats", general}, {"applicationStats", peers}} {
		w.open(part.name)
		for _, p := range part.of {
			w.text(p[0], p[1])
		}
		w.close(part.name)
	}
	w.open("instanceInfo")
	const outer = len("<instance>")
	one := appendXML(nil, a.self(x), added, false)
	w.b = append(w.b, one[outer:len(one)-outer-1]...)
	w.close("instanceInfo")
	w.text("isHeathly", "true")
	w.close(statusElement)
	return reply{rendered: rendered{body: w.b}}, nil
}

const statusElement = "com.netflix.eureka.util.StatusInfo"

func jsonPairs(all [][2]string) []byte {
	w := jsonWriter{[]byte{'{'}}
	for _, p := range all {
		w.text(p[0], p[1])
	}
	return append(w.b, '}')
}

// self is this node as an instance, reached as the client has reached it.
func (a *API) self(x *request) *instance {
	at := a.began.UnixMilli()
	i := &instance{
		ID: x.Host, Host: x.Host, App: "EUREKA", IP: x.Host, Status: up, Override: unknown, Secure: port{httpsPort, false},
		Center: center{Name: myOwn}, VIP: "eureka", Coordinating: true, Updated: at, Dirty: at,
		Lease: lease{Registered: at},
	}
	i.settle()
	return i.dated()
}

// overrides answers GET /serverinfo/statusoverrides: which instances are shown with a
// status that somebody has set.
func (a *API) overrides(x *request) (reply, error) {
	if err := a.view.ready(x.Context()); err != nil {
		return reply{}, err
	}
	x.json = true
	set := a.view.overridden(a.may(x))
	b := []byte{'{'}
	for n, id := range slices.Sorted(maps.Keys(set)) {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(encode.AppendLoose(b, id), ':')
		b = encode.AppendLoose(b, set[id])
	}
	return reply{rendered: rendered{body: append(b, '}')}}, nil
}

func (v *view) overridden(m may) map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	set := map[string]string{}
	for _, a := range v.apps {
		for id, all := range a.ids {
			if e := all[0]; e.e.StatusOverride != "" && (m == nil || m(e.source)) {
				set[id] = e.e.StatusOverride
			}
		}
	}
	return set
}

// scalingGroup answers PUT /asg/{name}/status, which is about a cloud that this is not.
func (a *API) scalingGroup(*request) (reply, error) {
	return reply{}, fail(http.StatusNotImplemented, "there are no auto scaling groups of AWS here: set the status of the instances")
}
