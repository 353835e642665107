package order

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// shelf is a cloud of several nodes with one flavor, which counts how often it is read.
type shelf struct {
	Cloud
	ram    atomic.Int64 // 0: there is no flavor
	reads  atomic.Int64
	told   []cluster.Answerer
	silent error  // what another node says instead
	during func() // a read
}

func (s *shelf) Ask(_ context.Context, _ actors.Ref, m proto.Message) (proto.Message, error) {
	if !messages.IsQuery(m) {
		return &messages.Done{}, nil
	}
	s.reads.Add(1)
	ram := s.ram.Load()
	if s.during != nil {
		s.during()
	}
	if ram == 0 {
		return nil, fmt.Errorf("no flavor: %w", messages.NotFound)
	}
	return &messages.Flavor{Id: "f", RamMib: ram}, nil
}

func (s *shelf) Answer(_ proto.Message, f cluster.Answerer) { s.told = append(s.told, f) }

func (s *shelf) Everywhere(ctx context.Context, question proto.Message) (all []cluster.NodeAnswer) {
	for _, f := range s.told {
		m, err := f(ctx, question)
		all = append(all, cluster.NodeAnswer{Answer: m, Err: err})
	}
	if s.silent != nil {
		all = append(all, cluster.NodeAnswer{Err: s.silent})
	}
	return all
}

func (s *shelf) order(t *testing.T, m *Memory) int64 {
	t.Helper()
	f, err := Desk{Cloud: m, Project: "p"}.Flavor(t.Context(), "f")
	if err != nil && !errors.Is(err, messages.Invalid) {
		t.Fatal(err)
	}
	return f.GetRamMib()
}

func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		here, there := Remember(s), Remember(s)
		expect := func(m *Memory, ram, reads int64, what string) {
			t.Helper()
			if got := s.order(t, m); got != ram || s.reads.Load() != reads {
				t.Fatalf("%s: %d MiB after %d reads, want %d after %d", what, got, s.reads.Load(), ram, reads)
			}
		}
		expect(here, 0, 1, "there is none")
		s.ram.Store(1)
		expect(here, 1, 2, "what is not there is not remembered")
		expect(here, 1, 2, "once read")
		expect(there, 1, 3, "by another node")
		s.ram.Store(2) // by a program that tells nobody
		expect(here, 1, 3, "for a while it goes unseen")
		time.Sleep(MaxAge)
		expect(here, 2, 4, "at most so long")
		s.ram.Store(3)
		if _, err := here.Ask(t.Context(), actors.Ref{Kind: flavor.Kind, ID: "f"}, &messages.SetExtraSpecs{}); err != nil {
			t.Fatal(err)
		}
		expect(here, 3, 5, "changed here")
		expect(there, 3, 6, "and seen there at once")
		s.ram.Store(0)
		time.Sleep(renewAge)
		expect(here, 0, 7, "who renews finds that it is gone")
		expect(here, 0, 8, "and so does the next")
	})
}

// A node that does not say that it has forgotten has when the change is answered.
func TestMemoryOfTheSilent(t *testing.T) {
	for err, wait := range map[error]time.Duration{messages.Unavailable: MaxAge, messages.Invalid: 0} {
		synctest.Test(t, func(t *testing.T) {
			s := &shelf{silent: fmt.Errorf("a node: %w", err)}
			m, began := Remember(s), time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // who asked has hung up
			if _, err := m.Ask(ctx, network.Ref("n"), &messages.DeleteNetwork{}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != wait {
				t.Errorf("%v: answered after %v, want %v", err, took, wait)
			}
		})
	}
}

// What is read while it changes is not remembered.
func TestMemoryChangedDuringARead(t *testing.T) {
	s := &shelf{}
	m := Remember(s)
	s.ram.Store(1)
	s.during = func() {
		s.during = nil
		s.ram.Store(2)
		if _, err := m.Ask(t.Context(), actors.Ref{Kind: flavor.Kind, ID: "f"}, &messages.UpdateFlavor{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.order(t, m); got != 1 {
		t.Fatalf("the read that had begun found %d", got)
	}
	if got := s.order(t, m); got != 2 {
		t.Errorf("the next found %d", got)
	}
}

// One renews what has grown old; the others do not wait for it.
func TestMemoryIsRenewedByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		m := Remember(s)
		s.ram.Store(1)
		s.order(t, m)
		time.Sleep(renewAge)
		s.during = func() {
			s.during = nil
			if got, reads := s.order(t, m), s.reads.Load(); got != 1 || reads != 2 {
				t.Errorf("beside it: %d after %d reads", got, reads)
			}
		}
		s.order(t, m)
	})
}

func TestMemoryIsBounded(t *testing.T) {
	s := &shelf{}
	m := Remember(s)
	s.ram.Store(1)
	for i := range 2 * maxRemembered {
		if _, err := (Desk{Cloud: m, Scope: fmt.Sprint(i)}).Flavor(t.Context(), "f"); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.known) > maxRemembered {
		t.Errorf("%d are remembered", len(m.known))
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind string
		what proto.Message
		want bool
	}{
		"a network":        {network.Kind, &messages.CreateNetwork{}, true},
		"a subnet":         {network.Kind, &messages.DeleteSubnet{}, true},
		"a port":           {network.Kind, &messages.CreatePort{}, false},
		"an image":         {"image", &messages.UpdateImageMember{}, true},
		"an image read":    {"image", &messages.GetImage{}, false},
		"a server":         {"instance", &messages.CreateInstance{}, false},
		"flavor of nobody": {flavor.Kind, &messages.SetFlavorAccess{}, true},
	} {
		if got := changes(actors.Ref{Kind: tt.kind}, tt.what); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
