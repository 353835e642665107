package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// stage is a driver whose operations say when they begin and end when told.
type stage struct {
	mu      sync.Mutex
	events  chan drivers.Event
	domains map[string]drivers.Domain
	began   chan string // "build i/1"
	let     chan error  // how the next operation ends
	now     int
	most    int
	broken  error // of Domains
	epoch   uint64
}

func newStage() *stage {
	return &stage{
		events: make(chan drivers.Event, 10), began: make(chan string, 100), let: make(chan error),
		domains: map[string]drivers.Domain{},
	}
}

func (s *stage) operate(ctx context.Context, op, id string, f drivers.Fence, power messages.PowerState) error {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	s.began <- fmt.Sprintf("%s %s/%d", op, id, f.Order)
	var err error
	select {
	case err = <-s.let:
	case <-ctx.Done():
		s.began <- fmt.Sprintf("broken off %s/%d", id, f.Order)
		err = fmt.Errorf("broken off: %w", messages.Unavailable)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
	if err == nil {
		s.domains[id] = drivers.Domain{ID: id, Power: power, Fence: f}
	}
	return err
}

func (s *stage) Inventory(context.Context) (*messages.Inventory, error) {
	return &messages.Inventory{HypervisorHostname: "stage"}, nil
}

func (s *stage) Domains(context.Context) (all []drivers.Domain, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.domains {
		all = append(all, d)
	}
	err, s.broken = s.broken, nil
	return all, err
}

func (s *stage) Domain(_ context.Context, id string) (drivers.Domain, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.domains[id]; ok {
		return d, nil
	}
	return drivers.Domain{}, messages.NotFound
}

func (s *stage) Build(ctx context.Context, spec *messages.DomainSpec) error {
	return s.operate(ctx, "build", spec.InstanceId, drivers.FenceOf(spec), messages.PowerState_POWER_STATE_RUNNING)
}

func (s *stage) Start(ctx context.Context, id string, f drivers.Fence) error {
	if id == "panics" {
		panic("as asked")
	}
	return s.operate(ctx, "start", id, f, messages.PowerState_POWER_STATE_RUNNING)
}

func (s *stage) Stop(ctx context.Context, id string, f drivers.Fence, _ time.Duration) error {
	return s.operate(ctx, "stop", id, f, messages.PowerState_POWER_STATE_SHUTDOWN)
}

func (s *stage) Reboot(ctx context.Context, id string, f drivers.Fence, _ time.Duration) error {
	return s.operate(ctx, "reboot", id, f, messages.PowerState_POWER_STATE_RUNNING)
}

func (s *stage) Delete(ctx context.Context, id string, f drivers.Fence) error {
	return s.operate(ctx, "delete", id, f, 0)
}

func (s *stage) Release(ctx context.Context, id string, f drivers.Fence) error {
	return s.operate(ctx, "release", id, f, 0)
}

// Lead is led on as far as the stage has been.
func (s *stage) Lead(_ context.Context, epoch uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch < s.epoch {
		return drivers.Superseded(s.epoch, epoch)
	}
	s.epoch = epoch
	return nil
}

func (s *stage) Console(_ context.Context, id string, n int64) ([]byte, error) {
	return []byte(strings.Repeat("x", int(n)) + id), nil
}

func (s *stage) Watch(context.Context) <-chan drivers.Event { return s.events }
func (s *stage) Close() error                               { return nil }

// hostKind stands in for the host: it drives what it is ordered, and passes on
// what it hears.
func hostKind(heard chan<- actors.Message) actors.Kind {
	type state struct{ Heard int }
	return actors.Spec[state]{Name: "host", Step: func(s state, in actors.Input) (state, []actors.Effect, error) {
		switch m := in.Message.(type) {
		case *messages.OrderHost:
			return s, []actors.Effect{actors.Drive{Order: m}}, nil
		case *messages.GetConsole:
			return s, []actors.Effect{actors.ReadConsole{Instance: m.InstanceId, MaxBytes: m.MaxBytes}}, nil
		case *messages.SetHost:
			return s, []actors.Effect{actors.Publish{Facts: &messages.HostFacts{Name: in.ID}}}, nil
		case *messages.ResetQuota:
			return s, []actors.Effect{actors.QueryHosts{Round: 7}}, nil
		case *messages.ReleaseQuota:
			return s, []actors.Effect{actors.Reconcile{}, actors.Discard{SHA256: m.InstanceId}}, nil
		case *messages.Activated, *messages.Nudged:
			return s, nil, nil
		}
		heard <- in.Message
		return state{s.Heard + 1}, nil, nil
	}}.Kind()
}

func hostRef(id string) actors.Ref { return actors.Ref{Kind: "host", ID: id} }

type theatre struct {
	t     *testing.T
	node  *cluster.Node
	stage *stage
	heard chan actors.Message
}

func newTheatre(t *testing.T, c cluster.Config) *theatre {
	th := &theatre{t: t, stage: newStage(), heard: make(chan actors.Message, 100)}
	c.Name, c.Store, c.Kinds = "n", mem.New(), []actors.Kind{hostKind(th.heard)}
	th.node = startWith(t, c)
	if err := th.node.AttachHost("h", "zone", th.stage); err != nil {
		t.Fatal(err)
	}
	return th
}

func (th *theatre) tell(m actors.Message) {
	th.t.Helper()
	if _, err := th.node.Client().Ask(th.t.Context(), hostRef("h"), m); err != nil {
		th.t.Fatal(err)
	}
}

func (th *theatre) drive(kind messages.OrderKind, id string, order uint64) {
	th.t.Helper()
	th.tell(&messages.OrderHost{InstanceId: id, Order: order, Kind: kind, Spec: &messages.DomainSpec{InstanceId: id, Order: order}})
}

func (th *theatre) wantBegan(want string) {
	th.t.Helper()
	if got := <-th.stage.began; got != want {
		th.t.Errorf("began %q, want %q", got, want)
	}
}

func (th *theatre) wantDone(kind messages.OrderKind, order uint64, power messages.PowerState, absent bool, e messages.ErrorKind) {
	th.t.Helper()
	m, ok := (<-th.heard).(*messages.DriverDone)
	if !ok || m.Kind != kind || m.Order != order || m.Power != power || m.Absent != absent || m.ErrorKind != e {
		th.t.Errorf("heard %v, want %v %d %v absent %v %v", m, kind, order, power, absent, e)
	}
}

const (
	build = messages.OrderKind_ORDER_KIND_BUILD
	boot  = messages.OrderKind_ORDER_KIND_START
	halt  = messages.OrderKind_ORDER_KIND_STOP
	erase = messages.OrderKind_ORDER_KIND_DELETE
	peek  = messages.OrderKind_ORDER_KIND_LOOK

	running = messages.PowerState_POWER_STATE_RUNNING
	off     = messages.PowerState_POWER_STATE_SHUTDOWN
)

func TestDrive(t *testing.T) {
	th := newTheatre(t, cluster.Config{})
	th.drive(build, "i", 1)
	th.wantBegan("build i/1")
	th.drive(build, "i", 1) // the same again: dropped
	th.stage.let <- nil
	th.wantDone(build, 1, running, false, 0)

	th.drive(halt, "i", 2)
	th.wantBegan("stop i/2")
	th.drive(peek, "i", 2)  // waits for its turn
	th.drive(peek, "i", 2)  // and once is enough
	th.drive(build, "i", 1) // too late
	th.stage.let <- nil
	th.wantDone(halt, 2, off, false, 0)
	th.wantDone(peek, 2, off, false, 0)

	th.drive(boot, "i", 3)
	th.wantBegan("start i/3")
	th.drive(halt, "i", 4) // breaks it off
	th.wantBegan("broken off i/3")
	th.wantBegan("stop i/4")
	th.drive(erase, "i", 5)
	th.wantBegan("broken off i/4")
	th.wantBegan("delete i/5")
	th.stage.let <- nil
	th.wantDone(erase, 5, 0, true, 0)

	th.drive(halt, "i", 4) // a stale activation still asks for it
	th.drive(boot, "j", 1)
	th.wantBegan("start j/1")
	th.stage.let <- fmt.Errorf("no room: %w", messages.Exhausted)
	th.wantDone(boot, 1, 0, true, messages.ErrorKind_ERROR_KIND_EXHAUSTED)
	th.drive(peek, "nobody", 1)
	th.wantDone(peek, 1, 0, true, 0)
}

// TestSuperseded: what is refused because another node drives the hypervisor is no
// failure of the order, and nobody hears of it; the host hears that it is lost.
func TestSuperseded(t *testing.T) {
	th := newTheatre(t, cluster.Config{Epoch: func() uint64 { return 3 }})
	s := th.stage
	s.events <- drivers.Event{Kind: drivers.Connected}
	if m, ok := (<-th.heard).(*messages.HostConnected); !ok {
		t.Fatalf("heard %v", m)
	}
	th.drive(boot, "i", 1)
	th.wantBegan("start i/1")
	s.mu.Lock()
	if s.epoch != 3 {
		t.Errorf("the hypervisor was led with epoch %d", s.epoch)
	}
	s.epoch = 4
	s.mu.Unlock()
	s.let <- drivers.Superseded(4, 3)
	if m, ok := (<-th.heard).(*messages.HostLost); !ok {
		t.Errorf("heard %v", m)
	}
}

func TestDriverPanics(t *testing.T) {
	th := newTheatre(t, cluster.Config{})
	th.drive(boot, "panics", 1)
	th.wantDone(boot, 1, 0, true, messages.ErrorKind_ERROR_KIND_INTERNAL)
}

// TestDriveIsBounded: as many operations run at once as may, and no more; the next
// begins when one ends. None ends before all that may have begun: else a slow
// machine would not show how many there can be.
func TestDriveIsBounded(t *testing.T) {
	const many, atOnce = 20, 3
	th := newTheatre(t, cluster.Config{HostOps: atOnce})
	for i := range many {
		th.drive(build, fmt.Sprint(i), 1)
	}
	for range atOnce {
		<-th.stage.began
	}
	for ended := range many {
		th.stage.let <- nil
		<-th.heard
		if ended+atOnce < many {
			<-th.stage.began
		}
	}
	th.stage.mu.Lock()
	defer th.stage.mu.Unlock()
	if th.stage.most != atOnce {
		t.Errorf("%d operations ran at once, want %d", th.stage.most, atOnce)
	}
}

func TestStopBreaksOff(t *testing.T) {
	th := newTheatre(t, cluster.Config{})
	th.drive(build, "i", 1)
	th.wantBegan("build i/1")
	stop(t, th.node)
	th.wantBegan("broken off i/1")
	if len(th.heard) != 0 {
		t.Errorf("the host heard %v of an order that will be tried again", <-th.heard)
	}
}

func TestWatch(t *testing.T) {
	th := newTheatre(t, cluster.Config{})
	s := th.stage
	s.domains["i"] = drivers.Domain{ID: "i", Power: running, Fence: drivers.Fence{Order: 4}}
	s.broken = fmt.Errorf("not yet: %w", messages.Unavailable) // the first list fails
	s.events <- drivers.Event{Kind: drivers.Connected}
	if m, ok := (<-th.heard).(*messages.HostConnected); !ok || m.AvailabilityZone != "zone" || m.Inventory.HypervisorHostname != "stage" ||
		len(m.Domains) != 1 || m.Domains[0].Order != 4 {
		t.Errorf("heard %v", m)
	}
	s.events <- drivers.Event{Kind: drivers.Changed, Domain: drivers.Domain{ID: "i", Power: off, Fence: drivers.Fence{Order: 4}}}
	if m, ok := (<-th.heard).(*messages.DomainObserved); !ok || m.Absent || m.Domain.Power != off {
		t.Errorf("heard %v", m)
	}
	s.events <- drivers.Event{Kind: drivers.Gone, Domain: drivers.Domain{ID: "i"}}
	if m, ok := (<-th.heard).(*messages.DomainObserved); !ok || !m.Absent {
		t.Errorf("heard %v", m)
	}
	th.tell(&messages.ReleaseQuota{}) // reconcile
	if m, ok := (<-th.heard).(*messages.HostConnected); !ok {
		t.Errorf("heard %v", m)
	}
	s.events <- drivers.Event{Kind: drivers.Lost, Reason: "cut"}
	if m, ok := (<-th.heard).(*messages.HostLost); !ok || m.Reason != "cut" {
		t.Errorf("heard %v", m)
	}
	th.tell(&messages.ReleaseQuota{})
	if m, ok := (<-th.heard).(*messages.HostLost); !ok {
		t.Errorf("after a reconcile without a connection heard %v", m)
	}
}

func TestConsoleAndBoard(t *testing.T) {
	discarded := make(chan string, 1)
	th := newTheatre(t, cluster.Config{Discard: func(_ context.Context, sha string) error {
		discarded <- sha
		return nil
	}})
	c := th.node.Client()
	th.stage.events <- drivers.Event{Kind: drivers.Connected}
	<-th.heard
	v, err := cluster.Ask[*messages.ConsoleView](t.Context(), c, hostRef("h"), &messages.GetConsole{InstanceId: "i", MaxBytes: 3})
	if err != nil || string(v.Output) != "xxxi" {
		t.Errorf("console %q, %v", v.GetOutput(), err)
	}
	if _, err := c.Ask(t.Context(), hostRef("elsewhere"), &messages.GetConsole{InstanceId: "i"}); !errors.Is(err, messages.Unavailable) {
		t.Errorf("console of a host that is not here: %v", err)
	}
	for _, name := range []string{"c", "a", "b", "a"} {
		if _, err := c.Ask(t.Context(), hostRef(name), &messages.SetHost{}); err != nil {
			t.Fatal(err)
		}
	}
	th.tell(&messages.ResetQuota{})
	m, ok := (<-th.heard).(*messages.HostsAnswered)
	if !ok || m.Round != 7 || len(m.Hosts) != 3 || m.Hosts[0].Name != "a" || m.Hosts[2].Name != "c" {
		t.Errorf("the hosts answered %v", m)
	}
	th.tell(&messages.ReleaseQuota{InstanceId: "abc"})
	if got := <-discarded; got != "abc" {
		t.Errorf("discarded %q", got)
	}
	for name, err := range map[string]error{
		"twice": th.node.AttachHost("h", "", th.stage), "no name": th.node.AttachHost("", "", th.stage),
		"no driver": th.node.AttachHost("x", "", nil),
	} {
		if err == nil {
			t.Errorf("attached %s", name)
		}
	}
}

// TestQueryWaitsForHosts: a query just after the start is answered once every
// host that was attached has said what it has, or when it takes too long.
func TestQueryWaitsForHosts(t *testing.T) {
	for name, tt := range map[string]struct {
		attach, connect int
		after           time.Duration
	}{
		"all come":   {2, 2, 2 * time.Second},
		"one is out": {2, 1, 5 * time.Second},
		"none come":  {0, 0, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				heard := make(chan actors.Message, 10)
				n := startWith(t, cluster.Config{Name: "n", Store: mem.New(), Kinds: []actors.Kind{hostKind(heard)}})
				began := time.Now()
				if _, err := n.Client().Ask(t.Context(), hostRef("asker"), &messages.ResetQuota{}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				stages := make([]*stage, tt.attach)
				for i := range stages {
					stages[i] = newStage()
					if err := n.AttachHost(fmt.Sprint(i), "", stages[i]); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Second)
				for _, s := range stages[:tt.connect] {
					s.events <- drivers.Event{Kind: drivers.Connected}
				}
				for {
					if _, ok := (<-heard).(*messages.HostsAnswered); ok {
						break
					}
				}
				if got := time.Since(began); got != tt.after {
					t.Errorf("answered after %v, want %v", got, tt.after)
				}
				stop(t, n)
			})
		})
	}
}
