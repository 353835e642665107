package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// mind keeps N, and has in memory what its asks have told it: ReleaseQuota a name
// to have in mind, CreatePort the seconds after which it wants to be woken,
// UpdateSubnet that a target has to be looked at. SetQuota keeps one more, GetQuota
// reads, DeletePort reads a cold row that SetQuota has written.
type mind struct {
	kept *keptMind
	memory
	Old actors.Cold
}

type keptMind struct{ N int64 }

type memory struct {
	names  map[string]int64
	at     time.Time
	woken  int64
	probed string
}

func (m mind) AppendJSON(b []byte) ([]byte, error) {
	if m.kept == nil {
		return append(b, '0'), nil
	}
	return strconv.AppendInt(b, m.kept.N, 10), nil
}

func (m mind) MarshalJSON() ([]byte, error) { return m.AppendJSON(nil) }

func (m *mind) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	m.kept = &keptMind{n}
	return err
}

func stepMind(s mind, in actors.Input) (mind, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.ReleaseQuota:
		names := map[string]int64{m.InstanceId: 1}
		for k, v := range s.names {
			names[k] += v
		}
		s.names = names
	case *messages.SetQuota:
		n := int64(1)
		if s.kept != nil {
			n += s.kept.N
		}
		s.kept = &keptMind{n}
		s.Old = s.Old.Set(fmt.Sprint(n), &messages.Port{Id: fmt.Sprintf("row %d", n)})
	case *messages.CreatePort:
		seconds, err := strconv.Atoi(m.Id)
		if err != nil {
			return s, nil, err
		}
		s.at = in.Now.Add(time.Duration(seconds) * time.Second)
	case *messages.Woken:
		s.woken, s.at = s.woken+1, time.Time{}
	case *messages.DeletePort:
		return s, []actors.Effect{actors.ReadCold{Table: "old", Row: m.PortId, As: &messages.Port{}}}, nil
	case *messages.DeleteSubnet:
		return s, []actors.Effect{actors.Probe{Targets: []actors.ProbeTarget{
			{Key: &messages.EndpointKey{Ip: "up"}, Check: &messages.HealthCheck{}},
			{Key: &messages.EndpointKey{Ip: "down"}, Check: &messages.HealthCheck{}},
		}}}, nil
	case *messages.EndpointsProbed:
		for _, r := range m.Results {
			s.probed += fmt.Sprintf("%s %v %s;", r.Key.Ip, r.Ok, r.Reason)
		}
	case *messages.GetQuota:
		used := map[string]int64{"woken": s.woken}
		for k, v := range s.names {
			used[k] = v
		}
		if s.kept != nil {
			used["n"] = s.kept.N
		}
		if s.probed != "" {
			used[s.probed] = 1
		}
		return s, []actors.Effect{actors.Reply{Message: &messages.QuotaView{Used: used}}}, nil
	}
	return s, nil, nil
}

func mindKind() actors.Kind {
	return actors.Spec[mind]{
		Name: "mind", Step: stepMind,
		Wake:   func(s mind) time.Time { return s.at },
		Same:   func(a, b mind) bool { return a.kept == b.kept },
		Rebase: func(durable, now mind) mind { durable.memory = now.memory; return durable },
		Tables: func(s *mind) map[string]actors.Rows { return map[string]actors.Rows{"old": &s.Old} },
	}.Kind()
}

func mindRef(id string) actors.Ref { return actors.Ref{Kind: "mind", ID: id} }

func tellMind(t *testing.T, n *cluster.Node, id string, m actors.Message) {
	t.Helper()
	if _, err := n.Client().Ask(t.Context(), mindRef(id), m); err != nil {
		t.Fatal(err)
	}
}

func readMind(t *testing.T, n *cluster.Node, id string) map[string]int64 {
	t.Helper()
	got, err := cluster.Ask[*messages.QuotaView](t.Context(), n.Client(), mindRef(id), &messages.GetQuota{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Used
}

// TestWoken: a grain is woken at the time that it names, also if that moves; until
// then it stays in memory, and afterwards it may leave.
func TestWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startWith(t, cluster.Config{Name: "n", Store: mem.New(), Kinds: []actors.Kind{mindKind()}, IdleTimeout: time.Minute})
		tellMind(t, n, "later", &messages.CreatePort{Id: "607"})
		tellMind(t, n, "moved", &messages.CreatePort{Id: "10"})
		time.Sleep(9 * time.Second) // of the bubble's clock
		tellMind(t, n, "moved", &messages.CreatePort{Id: "10"})
		time.Sleep(9 * time.Second)
		if got := readMind(t, n, "moved")["woken"]; got != 0 {
			t.Errorf("woken %d times before its time had come", got)
		}
		time.Sleep(2 * time.Second)
		if got := readMind(t, n, "moved")["woken"]; got != 1 {
			t.Errorf("woken %d times, once was wanted", got)
		}
		tellMind(t, n, "moved", &messages.CreatePort{Id: "100"})
		tellMind(t, n, "moved", &messages.CreatePort{Id: "1"})
		time.Sleep(2 * time.Second)
		if got := readMind(t, n, "moved")["woken"]; got != 2 {
			t.Errorf("a time that was moved nearer: woken %d times", got)
		}
		time.Sleep(570 * time.Second)
		if got := n.Client().Stats().Actors["mind"]; got != 1 {
			t.Errorf("%d in memory, want the one that waits for its time", got)
		}
		time.Sleep(20 * time.Second)
		if got := readMind(t, n, "later")["woken"]; got != 1 {
			t.Errorf("woken %d times after ten minutes", got)
		}
		time.Sleep(3 * time.Minute)
		if got := n.Client().Stats().Actors["mind"]; got != 0 {
			t.Errorf("%d in memory after all were idle", got)
		}
		stop(t, n)
	})
}

// TestMemoryDoesNotWait: what changes memory only is done while a commit is under
// way, seen by queries once it takes long, and not lost with it.
func TestMemoryDoesNotWait(t *testing.T) {
	g := newGate(mem.New())
	n := startWith(t, cluster.Config{Name: "n", Store: g, Kinds: []actors.Kind{mindKind()}, SlowCommit: time.Millisecond})
	tellMind(t, n, "a", &messages.SetQuota{})
	<-g.entered
	g.fail(once(store.ErrUndecided), nil)
	g.shut()
	written := make(chan error, 1)
	go func() {
		_, err := n.Client().Ask(context.WithoutCancel(t.Context()), mindRef("a"), &messages.SetQuota{})
		written <- err
	}()
	<-g.entered
	tellMind(t, n, "a", &messages.ReleaseQuota{InstanceId: "x"})
	if got := readMind(t, n, "a"); got["x"] != 1 || got["n"] != 1 {
		t.Errorf("while the commit is under way: %v", got)
	}
	g.open()
	if err := <-written; !errors.Is(err, messages.Unavailable) {
		t.Errorf("the commit that failed: %v", err)
	}
	if got := readMind(t, n, "a"); got["x"] != 1 || got["n"] != 1 {
		t.Errorf("after the commit has failed: %v", got)
	}
}

// TestColdRows: they are read when asked for, and not when the grain is loaded.
func TestColdRows(t *testing.T) {
	s := &listed{Store: mem.New()}
	n := start(t, s, mindKind())
	tellMind(t, n, "a", &messages.SetQuota{})
	tellMind(t, n, "a", &messages.SetQuota{})
	stop(t, n)
	n = start(t, s, mindKind())
	for row, want := range map[string]string{"1": "row 1", "2": "row 2"} {
		got, err := cluster.Ask[*messages.Port](t.Context(), n.Client(), mindRef("a"), &messages.DeletePort{PortId: row})
		if err != nil || got.Id != want {
			t.Errorf("row %s: %v, %v", row, got, err)
		}
	}
	if _, err := n.Client().Ask(t.Context(), mindRef("a"), &messages.DeletePort{PortId: "3"}); !errors.Is(err, messages.NotFound) {
		t.Errorf("a row that is not there: %v", err)
	}
	if got := s.prefixes(); slices.ContainsFunc(got, func(p string) bool { return len(p) >= 5 && p[:5] == "cold/" }) {
		t.Errorf("cold rows were listed: %q", got)
	}
}

// listed is a store that remembers what was listed.
type listed struct {
	store.Store
	mu  sync.Mutex
	all []string
}

func (l *listed) prefixes() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

func (l *listed) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, bool, error) {
	l.mu.Lock()
	l.all = append(l.all, prefix)
	l.mu.Unlock()
	return l.Store.List(ctx, prefix, after, limit)
}

// TestProbe: what the prober finds comes back to the grain that asked.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startWith(t, cluster.Config{
			Name: "n", Store: mem.New(), Kinds: []actors.Kind{mindKind()},
			Prober: func(_ context.Context, key *messages.EndpointKey, _ *messages.HealthCheck) error {
				if key.Ip == "down" {
					time.Sleep(time.Second) // of the bubble's clock: after the other
					return fmt.Errorf("nobody there: %w", messages.Unavailable)
				}
				return nil
			},
		})
		tellMind(t, n, "a", &messages.DeleteSubnet{})
		time.Sleep(2 * time.Second)
		if got := readMind(t, n, "a"); got["up true ;down false nobody there;"] != 1 {
			t.Errorf("found %v", got)
		}
		stop(t, n)
	})
}
