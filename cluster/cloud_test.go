package cluster_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/actors/project"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/messages"
)

// watcher is a store that knows the last state of every instance committed
// through it.
type watcher struct {
	store.Store
	mu      sync.Mutex
	changed *sync.Cond
	states  map[string]messages.VMState
	active  int
	faults  []string
}

func newWatcher(s store.Store) *watcher {
	w := &watcher{Store: s, states: map[string]messages.VMState{}}
	w.changed = sync.NewCond(&w.mu)
	return w
}

func (w *watcher) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	rev, err := w.Store.Commit(ctx, txn)
	if err == nil {
		w.see(txn)
	}
	return rev, err
}

func (w *watcher) Submit(txn store.Txn, done func(uint64, error)) {
	then := func(rev uint64, err error) {
		if err == nil {
			w.see(txn)
		}
		done(rev, err)
	}
	if s, ok := w.Store.(store.Submitter); ok {
		s.Submit(txn, then)
		return
	}
	then(w.Store.Commit(context.Background(), txn))
}

func (w *watcher) see(txn store.Txn) {
	for _, write := range txn.Writes {
		var v messages.InstanceView
		if !strings.HasPrefix(write.Key, "index/instance/") || write.Value == nil || proto.Unmarshal(write.Value, &v) != nil || v.TaskState != 0 {
			continue
		}
		w.mu.Lock()
		if w.states[v.Id] != v.VmState && v.VmState == messages.VMState_VM_STATE_ACTIVE {
			w.active++
		}
		w.states[v.Id] = v.VmState
		if v.Fault != nil {
			w.faults = append(w.faults, v.Fault.Message)
		}
		w.changed.Broadcast()
		w.mu.Unlock()
	}
}

// await waits until so many instances have become active, or one has failed.
func (w *watcher) await(active int) (failed string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.active < active {
		for id, s := range w.states {
			if s == messages.VMState_VM_STATE_ERROR {
				return fmt.Sprint(id, w.faults)
			}
		}
		w.changed.Wait()
	}
	return ""
}

// machines are hypervisors that outlive the node.
func machines(t testing.TB, many int) []*sim.Driver {
	all := make([]*sim.Driver, many)
	for i := range all {
		all[i] = sim.New(sim.Config{Name: fmt.Sprintf("h%d", i), VCPUs: 1000, RAMMiB: 1 << 30, DiskGiB: 1 << 30})
		t.Cleanup(func() { _ = all[i].Close() })
	}
	return all
}

func startCloud(t testing.TB, s store.Store, hosts []*sim.Driver) *cluster.Node {
	n := start(t, s, host.Spec(), instance.Spec(), network.Spec(), project.Spec(), scheduler.Spec(scheduler.Filter))
	for i, d := range hosts {
		if err := n.AttachHost(fmt.Sprintf("h%d", i), "nova", d); err != nil {
			t.Fatal(err)
		}
	}
	// The project's limits are set aside: they are not what is looked at here.
	none := map[string]int64{"instances": -1, "cores": -1, "ram": -1}
	if err := ask(n, actors.Ref{Kind: "project", ID: "p"}, &messages.SetQuota{Limits: none, Force: true}); err != nil {
		t.Fatal(err)
	}
	for i := range hosts { // connected, all of them
		for {
			if v, err := cluster.Ask[*messages.HostView](t.Context(), n.Client(), hostRef(fmt.Sprintf("h%d", i)), &messages.GetHost{}); err == nil && v.Facts.Up {
				break
			}
		}
	}
	return n
}

func create(n *cluster.Node, i int) error {
	id := fmt.Sprintf("%08x-0000-4000-8000-000000000000", i)
	return ask(n, actors.Ref{Kind: "instance", ID: id}, &messages.CreateInstance{
		Id: id, Name: "vm", ProjectId: "p", UserId: "u", RequestId: "req-" + id,
		Flavor: &messages.Flavor{Id: "1", Name: "tiny", Vcpus: 1, RamMib: 64, DiskGib: 1},
		Image:  &messages.ImageRef{Id: "i", Sha256: strings.Repeat("0a", 32), Format: "raw", VirtualBytes: 1},
	})
}

// TestCloud runs the real kinds on simulated hypervisors, through a restart.
func TestCloud(t *testing.T) {
	s := mem.New()
	w := newWatcher(s)
	hosts := machines(t, 5)
	n := startCloud(t, w, hosts)
	const many = 200
	for i := range many {
		if err := create(n, i); err != nil {
			t.Fatal(err)
		}
		if i == many/2 {
			stop(t, n) // in the middle of all that is under way
			n = startCloud(t, w, hosts)
		}
	}
	if failed := w.await(many); failed != "" {
		t.Errorf("instance %s failed", failed)
	}
}

// BenchmarkCreate is create to ACTIVE, 64 clients, one project, 200 hosts, with
// fsync.
func BenchmarkCreate(b *testing.B) {
	w := newWatcher(boltStore(b))
	n := startCloud(b, w, machines(b, 200))
	var slowest sync.Map
	began := time.Now()
	var wg sync.WaitGroup
	b.ResetTimer()
	before := cpuTime()
	for c := range 64 {
		wg.Go(func() {
			worst := time.Duration(0)
			for i := c; i < b.N; i += 64 {
				at := time.Now()
				if err := create(n, i); err != nil {
					b.Error(err)
					return
				}
				worst = max(worst, time.Since(at))
			}
			slowest.Store(c, worst)
		})
	}
	wg.Wait()
	asked := time.Since(began)
	if failed := w.await(b.N); failed != "" {
		b.Errorf("instance %s failed", failed)
	}
	b.StopTimer()
	worst := time.Duration(0)
	for _, v := range slowest.Range {
		worst = max(worst, v.(time.Duration))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "servers/s")
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(worst.Milliseconds()), "worst-ask-ms")
	b.ReportMetric(asked.Seconds(), "asking-s")
	b.ReportMetric(float64(n.Client().Stats().Commits)/float64(b.N), "commits/server")
	b.ReportMetric(float64(n.Client().Stats().Steps)/float64(b.N), "steps/server")
}
