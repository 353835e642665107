package eureka

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// show waits until the view shows what is right.
func (w *world) show(what string, right func(v *view) bool) {
	w.t.Helper()
	ok := false
	for range 4 { // a busy machine may take longer than a request waits
		w.api.view.await(w.t.Context(), func() bool {
			ok = right(w.api.view)
			return ok
		})
	}
	if !ok {
		w.t.Fatalf("never seen: %s", what)
	}
}

func (w *world) shows(name, id, status string) {
	w.t.Helper()
	w.show(name+"/"+id+" is "+status, func(v *view) bool {
		e := v.lookup(name, id)
		return e == nil && status == "" || e != nil && e.Status == status
	})
}

func billing(id, address string, more string) string {
	return `{"instance":{"instanceId":"` + id + `","hostName":"h","app":"BILLING","ipAddr":"` + address +
		`","vipAddress":"billing","dataCenterInfo":{"name":"MyOwn"},"port":{"$":80,"@enabled":"true"}` + more + `}}`
}

// TestNacosIsSeen: what Nacos registers, changes and removes is seen through Eureka,
// and what Eureka changes of it through Nacos.
func TestNacosIsSeen(t *testing.T) {
	w := newWorld(t)
	w.must(200, "GET", "/eureka/apps", "")
	const instance = "/nacos/v1/ns/instance?serviceName=stock&ip=10.0.0.9&port=80&clusterName=east"
	const id = "10.0.0.9:stock:80:east"
	w.must(200, "POST", instance+"&metadata=zone%3Db", "")
	w.shows("STOCK", id, up)
	app := w.must(200, "GET", "/eureka/apps/stock", "", takesJSON)
	for _, part := range []string{`"vipAddress":"stock"`, `"name":"MyOwn"`, `"zone":"b"`, `"app":"STOCK"`, `"instanceId":"` + id + `"`} {
		if !strings.Contains(app, part) {
			t.Errorf("%s is not in %s", part, app)
		}
	}
	w.must(404, "PUT", "/eureka/apps/STOCK/"+id, "") // Eureka does not keep it alive
	w.must(400, "PUT", "/eureka/apps/STOCK/"+id+"/status?value=DOWN", "")
	w.must(200, "PUT", "/eureka/apps/STOCK/"+id+"/status?value=OUT_OF_SERVICE", "")
	w.shows("STOCK", id, outOfService)
	if list := w.must(200, "GET", "/nacos/v1/ns/instance/list?serviceName=stock", ""); strings.Contains(list, "10.0.0.9") {
		t.Errorf("Nacos lists what is out of service: %s", list)
	}
	w.must(200, "DELETE", "/eureka/apps/STOCK/"+id+"/status", "")
	w.shows("STOCK", id, up)
	w.must(200, "PUT", "/eureka/apps/STOCK/"+id+"/metadata?a=b", "")
	if one := w.must(200, "GET", "/nacos/v1/ns/instance?serviceName=stock&ip=10.0.0.9&port=80&cluster=east", ""); !strings.Contains(one, `"a":"b"`) {
		t.Errorf("Nacos sees %s", one)
	}
	w.must(200, "PUT", instance+"&enabled=false", "")
	w.shows("STOCK", id, outOfService)
	w.must(200, "DELETE", instance, "")
	w.shows("STOCK", id, "")
}

// TestEurekaIsSeen: an instance of Eureka has Nacos' flags, and Nacos may set them.
func TestEurekaIsSeen(t *testing.T) {
	w := newWorld(t)
	const one = "/nacos/v1/ns/instance?serviceName=BILLING&ip=10.0.0.1&port=80"
	for _, tt := range []struct{ status, nacos string }{
		{starting, `"healthy":false`}, {up, `"healthy":true`}, {down, `"healthy":false`}, {outOfService, `"healthy":true`},
	} {
		w.must(204, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", `,"status":"`+tt.status+`"`), sendsJSON)
		w.shows("BILLING", "i", tt.status)
		w.must(200, "PUT", "/eureka/apps/BILLING/i", "") // a beat says nothing of the health
		if got := w.must(200, "GET", one, ""); !strings.Contains(got, tt.nacos) {
			t.Errorf("%s: Nacos sees %s", tt.status, got)
		}
	}
	w.must(200, "PUT", one+"&enabled=true", "")
	w.shows("BILLING", "i", up)
	w.must(200, "PUT", one+"&enabled=false", "")
	w.shows("BILLING", "i", outOfService)
	w.must(200, "DELETE", "/eureka/apps/BILLING/i", "")
	if list := w.must(200, "GET", "/nacos/v1/ns/instance/list?serviceName=BILLING", ""); strings.Contains(list, "10.0.0.1") {
		t.Errorf("Nacos lists %s", list)
	}
}

// TestLargeMetadata: those for which the registry has no room are Eureka's alone.
func TestLargeMetadata(t *testing.T) {
	w := newWorld(t)
	large := strings.Repeat("x", service.MaxMetadataChars)
	w.must(204, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", `,"metadata":{"a":"1","large":"`+large+`","z":"2"}`), sendsJSON)
	if one := w.must(200, "GET", "/eureka/apps/BILLING/i", "", takesJSON); !strings.Contains(one, `"metadata":{"a":"1","large":"`+large+`","z":"2"}`) {
		t.Errorf("read back is %s", one)
	}
	if one := w.must(200, "GET", "/nacos/v1/ns/instance?serviceName=BILLING&ip=10.0.0.1&port=80", ""); !strings.Contains(one, `"metadata":{"a":"1","z":"2"}`) {
		t.Errorf("Nacos sees %s", one)
	}
	w.must(400, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", `,"metadata":{"a":"`+strings.Repeat("x", service.MaxDocumentBytes)+`"}`), sendsJSON)
	w.must(413, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", `,"metadata":{"a":"`+strings.Repeat("x", MaxBody)+`"}`), sendsJSON)
}

// TestSameID: an instance that comes with another address is the same one.
func TestSameID(t *testing.T) {
	w := newWorld(t)
	w.must(204, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", `,"lastDirtyTimestamp":1`), sendsJSON)
	w.must(204, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.2", `,"lastDirtyTimestamp":2`), sendsJSON)
	w.show("one instance", func(v *view) bool { return v.counts[up] == 1 && len(v.sources["BILLING"].entries) == 1 })
	if e := w.api.view.find("BILLING", "i"); e.IP != "10.0.0.2" {
		t.Errorf("it is at %s", e.IP)
	}
}

// TestLeaseEnds when it should, and does not before.
func TestLeaseEnds(t *testing.T) {
	for asked, want := range map[string]int64{`{}`: 90_000, `{"durationInSecs":0}`: 90_000, `{"durationInSecs":7,"renewalIntervalInSecs":30}`: 7000, `{"durationInSecs":999999999}`: MaxDuration * 1000} {
		n, err := readJSON([]byte(billing("i", "10.0.0.1", `,"leaseInfo":`+asked)), "instance", maxNodes)
		if err != nil {
			t.Fatal(err)
		}
		i := n.instance()
		i.settle()
		e, err := i.endpoint("DEFAULT", false)
		if err != nil || e.BeatTimeoutMs != want || e.DeleteTimeoutMs != want || service.CheckEndpoint(e) != nil {
			t.Errorf("%s: %v, %v", asked, e, err)
		}
	}
	w := newWorld(t)
	w.must(204, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", `,"leaseInfo":{"durationInSecs":5}`), sendsJSON)
	w.shows("BILLING", "i", "")
	if delta := w.must(200, "GET", "/eureka/apps/delta", ""); !strings.Contains(delta, "<actionType>DELETED</actionType>") {
		t.Errorf("the delta is %s", delta)
	}
	w.must(404, "PUT", "/eureka/apps/BILLING/i", "")
}

// TestSelfPreservation: of many who are missed at once none is removed, a few are.
func TestSelfPreservation(t *testing.T) {
	v := newView(Config{Now: time.Now})
	s := &source{view: v, name: "A", entries: map[place]*entry{}}
	const all = 20
	put := func(n int, healthy bool) {
		e := &messages.Endpoint{Ip: "10.0.0.1", Port: int32(n), Id: string(rune('a' + n)), Dialect: dialect, Status: up, Enabled: true, Healthy: healthy, Document: []byte("{}")}
		was := s.entries[placeOf(e)]
		x := newEntry("A", proto.CloneOf(e))
		s.entries[placeOf(e)] = x
		v.replace("A", x.ID, was, x)
	}
	for n := range all {
		put(n, true)
	}
	for missing, want := range []int{0, 1, 2, 3, 0, 0} {
		if missing > 0 {
			put(missing, false)
		}
		if due := v.overdue()["A"]; len(due) != want {
			t.Errorf("%d of %d are missed: %d are removed", missing, all, len(due))
		}
		if v.counts[up] != all {
			t.Errorf("%d of %d are missed: shown are %v", missing, all, v.counts)
		}
	}
}

// TestPreservedAndEvicted: with the option, who misses its lease is removed by a node
// that has seen it.
func TestPreservedAndEvicted(t *testing.T) {
	w := newWorldWith(t, func(c *Config) { c.SelfPreservation = true })
	for _, port := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"} {
		w.must(204, "POST", "/eureka/apps/BILLING", billing("i"+port, "10.0.0."+port, ""), sendsJSON)
	}
	w.must(204, "POST", "/eureka/apps/BILLING", billing("short", "10.0.1.1", `,"leaseInfo":{"durationInSecs":1}`), sendsJSON)
	w.show("one that is missed", func(v *view) bool { return len(v.missed) == 1 && v.lookup("BILLING", "short") != nil })
	w.api.evict(t.Context())
	w.shows("BILLING", "short", "")
}
