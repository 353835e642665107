package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/drivers/drivertest"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func spec() *messages.DomainSpec {
	return &messages.DomainSpec{
		InstanceId: uuid.NewString(), Name: "a", Vcpus: 1, RamMib: 512, DiskGib: 1, Order: 1, Epoch: 1,
		ImageSha256: strings.Repeat("a", 64), ImageFormat: "qcow2", ImageVirtualBytes: 40 << 20,
		ConfigFiles: map[string][]byte{"openstack/latest/meta_data.json": []byte(`{"hostname":"` + drivertest.Hostname + `"}`)},
	}
}

// at is the fence of an order in the first epoch.
func at(order uint64) drivers.Fence { return drivers.Fence{Epoch: 1, Order: order} }

func broken(kind error, change func(*messages.DomainSpec)) drivertest.Broken {
	s := spec()
	change(s)
	return drivertest.Broken{Spec: s, Kind: kind}
}

func fixture(cfg Config) func(*testing.T) drivertest.Fixture {
	return func(t *testing.T) drivertest.Fixture {
		d := New(cfg)
		t.Cleanup(func() { _ = d.Close() })
		return drivertest.Fixture{
			Driver: d, Spec: spec,
			Second: func(_ *testing.T, halfway func()) drivers.Driver {
				return d.Second(func(Op) { halfway() })
			},
			Neighbour: neighbour(cfg),
			Broken: map[string]drivertest.Broken{
				"disk smaller than the image": broken(messages.Invalid, func(s *messages.DomainSpec) { s.ImageVirtualBytes = 2 << 30 }),
				"more memory than there is":   broken(messages.Exhausted, func(s *messages.DomainSpec) { s.RamMib = 1 << 20 }),
				"more disk than there is":     broken(messages.Exhausted, func(s *messages.DomainSpec) { s.DiskGib = 1 << 13 }),
			},
			Half:  func(t *testing.T, s *messages.DomainSpec) { must(t, d.Half(s)) },
			Crash: func(_ *testing.T, id string) { d.Crash(id) },
			Cut:   func(*testing.T) { d.lose("cut by the test") },
			Foreign: func(_ *testing.T, id string) func() bool {
				d.AddForeign(id)
				return func() bool { return d.HasForeign(id) }
			},
			Booted: func(*testing.T, string) {},
			Leavings: func(_ *testing.T, id string) (left []string) {
				if _, ok := d.domains[id]; ok {
					left = append(left, "domain")
				}
				if len(d.domains) == 0 && d.used != (usage{}) {
					left = append(left, fmt.Sprintf("capacity %+v", d.used))
				}
				return left
			},
		}
	}
}

// neighbour is another host on the same shared storage; nil if there is none.
func neighbour(cfg Config) func(*testing.T) drivers.Driver {
	if cfg.Shared == nil {
		return nil
	}
	cfg.Name += "-neighbour"
	return func(*testing.T) drivers.Driver { return New(cfg) }
}

func TestConformanceOnSharedStorage(t *testing.T) {
	storage, err := OpenShared(t.Context(), t.TempDir())
	must(t, err)
	drivertest.Run(t, fixture(Config{Name: "a", Shared: storage}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	drivertest.Run(t, fixture(Config{Name: "a"}))
}

func TestConformanceWithLatencyAndJournal(t *testing.T) {
	j, err := OpenJournal(t.TempDir())
	must(t, err)
	ms := time.Millisecond
	drivertest.Run(t, fixture(Config{Name: "a", Journal: j, Seed: 7, Latency: Latency{
		Build: 2 * ms, Start: ms, Stop: ms, Reboot: ms, Delete: ms, Shutdown: 2 * ms, Reconnect: ms, Jitter: 0.5}}))
	must(t, j.Close())
}

func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		fault Fault
		want  error
		power messages.PowerState // after a build; NOSTATE: nothing there
	}{
		"none":              {None, nil, messages.PowerState_POWER_STATE_RUNNING},
		"failed":            {FailBefore, messages.Internal, messages.PowerState_POWER_STATE_NOSTATE},
		"failed but done":   {FailAfter, messages.Internal, messages.PowerState_POWER_STATE_RUNNING},
		"lost, not done":    {LostBefore, messages.Unavailable, messages.PowerState_POWER_STATE_NOSTATE},
		"lost, but done":    {LostAfter, messages.Unavailable, messages.PowerState_POWER_STATE_RUNNING},
		"done and crashed":  {CrashAfter, nil, messages.PowerState_POWER_STATE_CRASHED},
		"deaf when stopped": {IgnoreACPI, nil, messages.PowerState_POWER_STATE_RUNNING},
	} {
		d := New(Config{Name: "a", Fault: func(Op, string) Fault { return tt.fault }})
		s := spec()
		if err := d.Build(t.Context(), s); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
		if dom, _ := d.Domain(t.Context(), s.InstanceId); dom.Power != tt.power {
			t.Errorf("%s: got %v, want %v", name, dom.Power, tt.power)
		}
	}
}

func TestChancesAreRepeatable(t *testing.T) {
	draw := func() (all []Fault) {
		hook := Chances{FailBefore: 0.2, LostAfter: 0.3, IgnoreACPI: 0.1}.Hook(42)
		for range 1000 {
			all = append(all, hook(OpBuild, ""))
		}
		return all
	}
	a, b := draw(), draw()
	seen := map[Fault]int{}
	for n := range a {
		if seen[a[n]]++; a[n] != b[n] {
			t.Fatalf("draw %d differs", n)
		}
	}
	if len(seen) != 4 || seen[FailAfter] > 0 {
		t.Errorf("drew %v", seen)
	}
}

func TestCapacityIsGivenBack(t *testing.T) {
	d := New(Config{Name: "a", RAMMiB: 1024, RAMRatio: 1})
	a, b, c := spec(), spec(), spec()
	must(t, d.Build(t.Context(), a))
	must(t, d.Build(t.Context(), b))
	if err := d.Build(t.Context(), c); !errors.Is(err, messages.Exhausted) {
		t.Errorf("a third: got %v", err)
	}
	must(t, d.Stop(t.Context(), a.InstanceId, at(2), 0))
	must(t, d.Build(t.Context(), c))
	if err := d.Start(t.Context(), a.InstanceId, at(3)); !errors.Is(err, messages.Exhausted) {
		t.Errorf("start without memory: got %v", err)
	}
	must(t, d.Delete(t.Context(), b.InstanceId, at(2)))
	must(t, d.Start(t.Context(), a.InstanceId, at(3)))
}

func TestNoGoroutineWhileIdle(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	for n := range 1000 {
		d := New(Config{Name: fmt.Sprint(n)})
		events := d.Watch(ctx)
		must(t, d.Build(ctx, spec()))
		<-events
		<-events
	}
	if n := runtime.NumGoroutine() - before; n > 10 {
		t.Errorf("%d goroutines for 1000 idle hosts", n)
	}
	cancel()
}
