package service

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const benchEndpoints = 10_000

// benchEndpoint is one as a gRPC client's gateway makes it, freshly decoded.
func benchEndpoint(n int) *messages.Endpoint {
	ip := fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
	return &messages.Endpoint{
		Ip: ip, Port: 8080, Cluster: string([]byte("DEFAULT")), Weight: 1, Enabled: true, Healthy: true,
		Id: ip + "#8080#DEFAULT#DEFAULT_GROUP@@orders", Dialect: string([]byte("nacos")), App: string([]byte("orders")),
	}
}

func benchRegister(n int) *messages.RegisterEndpoints {
	return &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{benchEndpoint(n)}}
}

// machine steps without a store.
type machine struct {
	kind  actors.Kind
	state actors.State
	now   time.Time
}

func newMachine() *machine { return &machine{kind: Spec(), now: time.UnixMilli(1_700_000_000_000)} }

func (m *machine) step(b *testing.B, msg proto.Message) actors.Turn {
	turn, err := m.kind.Step(m.state, actors.Input{ID: testID, Now: m.now, Message: msg})
	if err != nil {
		b.Fatal(err)
	}
	m.state = turn.State
	return turn
}

func filled(b *testing.B, n int, owned bool) *machine {
	m := newMachine()
	if m.state.Value() == nil {
		s, err := m.kind.Open(nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		m.state = s
	}
	m.step(b, &messages.Activated{})
	for i := range n {
		r := benchRegister(i)
		if owned {
			r.Owner = fmt.Sprintf("node-1-af3c/1700000000000_10.0.0.1_%d", 10000+i)
		}
		m.step(b, r)
	}
	return m
}

// BenchmarkRegister: one more endpoint in a service of 10,000, one a message. The
// snapshots that fall due are part of it.
func BenchmarkRegister(b *testing.B) {
	for _, owned := range []bool{false, true} {
		b.Run(fmt.Sprintf("owned=%v", owned), func(b *testing.B) {
			m := filled(b, benchEndpoints, owned)
			all := make([]*messages.RegisterEndpoints, b.N)
			for i := range all {
				all[i] = benchRegister(benchEndpoints + i%benchEndpoints)
				all[i].Endpoints[0].Weight = float64(1 + i/benchEndpoints%9) // something new each time
				if owned {
					all[i].Owner = fmt.Sprintf("node-1-af3c/1700000000000_10.0.0.1_%d", 20000+i%benchEndpoints)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := processor(b)
			for _, r := range all {
				m.now = m.now.Add(33 * time.Microsecond) // 30,000/s
				m.step(b, r)
			}
			b.ReportMetric((processor(b)-before).Seconds()/float64(b.N)*30_000*100, "%core@30k/s")
		})
	}
}

// BenchmarkReplace: connections that each have one endpoint in each of many small
// services say another one, as a rolling update does.
func BenchmarkReplace(b *testing.B) {
	const services, owners = 1024, 16
	all := make([]*machine, services)
	for i := range all {
		all[i] = filled(b, 0, true)
	}
	say := func(n int) {
		m, r := all[n%services], benchRegister(n/services%owners)
		e := r.Endpoints[0]
		e.Port = int32(1 + n%60000)
		e.Metadata = map[string]string{"version": fmt.Sprint(n)}
		r.Owner, r.Replace = fmt.Sprintf("node-1-af3c/1700000000000_10.0.0.1_%d", n/services%owners), true
		m.now = m.now.Add(time.Second / 30)
		m.step(b, r)
		if at := m.state.Wake(); !at.After(m.now) {
			m.step(b, &messages.Woken{})
		}
	}
	for n := range services * owners {
		say(n)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		say(i)
	}
}

// BenchmarkRenew: beats of one service of 10,000 in batches of some, as a gateway
// gathers them.
func BenchmarkRenew(b *testing.B) {
	for _, batch := range []int{1, 40, 500} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			m := filled(b, benchEndpoints, false)
			all := benchBeats(benchEndpoints, batch)
			b.ReportAllocs()
			b.ResetTimer()
			before := processor(b)
			for i := range b.N {
				m.step(b, all[i%len(all)])
			}
			perKey := (processor(b) - before).Seconds() / float64(b.N*batch)
			b.ReportMetric(perKey*1e9, "ns/beat")
			b.ReportMetric(perKey*200_000*100, "%core@200k/s")
		})
	}
}

func benchBeats(n, batch int) []*messages.RenewEndpoints {
	var all []*messages.RenewEndpoints
	for at := 0; at+batch <= n; at += batch {
		m := &messages.RenewEndpoints{}
		for i := range batch {
			e := benchEndpoint((at + i) * 7919 % n)
			m.Keys = append(m.Keys, &messages.EndpointKey{Ip: e.Ip, Port: e.Port, Cluster: e.Cluster})
		}
		all = append(all, m)
	}
	return all
}

// BenchmarkSteady is 5 seconds of a service of 10,000 that all beat: 10,000 beats in
// batches of 40, and everything that Wake asks for. One core has 100 such services
// to do in 5 s for a million endpoints.
func BenchmarkSteady(b *testing.B) {
	m := filled(b, benchEndpoints, false)
	all := benchBeats(benchEndpoints, 40)
	b.ReportAllocs()
	b.ResetTimer()
	before := processor(b)
	for range b.N {
		for _, beats := range all {
			m.now = m.now.Add(20 * time.Millisecond)
			m.step(b, beats)
			if at := m.state.Wake(); !at.After(m.now) {
				m.step(b, &messages.Woken{})
			}
		}
	}
	took := processor(b) - before
	b.StopTimer()
	if v := m.state.Value().(State); v.live.healthy != benchEndpoints {
		b.Fatalf("%d are healthy", v.live.healthy)
	}
	b.ReportMetric(took.Seconds()/float64(b.N)*100/5*100, "%core@1M")
}

// BenchmarkExpire: 10,000 that fall silent are shown as ill and removed.
func BenchmarkExpire(b *testing.B) {
	full := filled(b, benchEndpoints, false)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		m := *full
		for m.state.Value().(State).live.held > 0 {
			m.now = m.state.Wake()
			m.step(b, &messages.Woken{})
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*benchEndpoints), "ns/endpoint")
}

// BenchmarkGet: a change and one answer to GetService, of 10,000.
func BenchmarkGet(b *testing.B) {
	m := filled(b, benchEndpoints, false)
	b.ReportAllocs()
	for i := range b.N {
		r := benchRegister(i % benchEndpoints)
		r.Endpoints[0].Weight = float64(i%100 + 2)
		m.step(b, r)
		m.step(b, &messages.GetService{})
	}
}

// BenchmarkActivate: a service of 10,000 comes from the store.
func BenchmarkActivate(b *testing.B) {
	w := newWorld(b)
	for i := range benchEndpoints {
		w.must(benchRegister(i))
	}
	w.pass(10 * time.Second)
	b.ReportAllocs()
	for b.Loop() {
		w.move()
	}
}

// BenchmarkMillion is how many bytes an endpoint takes: 100 services of 10,000.
func BenchmarkMillion(b *testing.B) {
	for _, owned := range []bool{false, true} {
		b.Run(fmt.Sprintf("owned=%v", owned), func(b *testing.B) {
			if testing.Short() {
				b.Skip()
			}
			for range b.N {
				before := heap()
				all := make([]*machine, 100)
				for i := range all {
					all[i] = filled(b, benchEndpoints, owned)
					for range 60 { // what is to be stored is stored
						all[i].now = all[i].now.Add(200 * time.Millisecond)
						all[i].step(b, &messages.Woken{})
					}
				}
				bytes := float64(heap() - before)
				b.ReportMetric(bytes/1e6, "bytes/endpoint")
				b.ReportMetric(bytes/1e6, "MB@1M")
				runtime.KeepAlive(all)
			}
		})
	}
}

// processor is the processor time that was used so far, the collector's included:
// what a benchmark takes of a core, whoever else runs beside it.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
