package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// grain keeps what owners registered, as a service does, and can lose it.
type grain struct {
	has  map[string][]*messages.Endpoint
	fail error // of the next registration
}

func (g *grain) answer(_ actors.Ref, m proto.Message) (proto.Message, error) {
	switch m := m.(type) {
	case *messages.RegisterEndpoints:
		if err := g.fail; err != nil {
			g.fail = nil
			return nil, err
		}
		g.has[m.GetOwner()] = m.GetEndpoints()
		return &messages.EndpointsRegistered{}, nil
	case *messages.DropOwner:
		delete(g.has, m.GetOwner())
	case *messages.KeepOwners:
		var all []*messages.Endpoint
		kept := &messages.OwnersKept{}
		for owner, some := range g.has {
			all = append(all, some...)
			kept.Owners = append(kept.Owners, owner)
		}
		kept.Resend = service.Checksum(all...) != m.GetChecksum() || len(all) != int(m.GetEndpoints())
		return kept, nil
	}
	return &messages.Done{}, nil
}

func owning(t *testing.T, f func(*cloud, *grain, *Owners)) {
	synctest.Test(t, func(t *testing.T) {
		g := &grain{has: map[string][]*messages.Endpoint{}}
		c := newCloud(nil)
		c.answer = func(r actors.Ref, m proto.Message) (proto.Message, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return g.answer(r, m)
		}
		o := NewOwners(c, "node/1", zerolog.Nop())
		f(c, g, o)
		o.Close()
	})
}

func endpoints(ips ...string) (all []*messages.Endpoint) {
	for _, ip := range ips {
		all = append(all, &messages.Endpoint{Ip: ip, Port: 80, Cluster: "DEFAULT", Weight: 1, Enabled: true, Healthy: true})
	}
	return all
}

func TestOwners(t *testing.T) {
	owning(t, func(c *cloud, g *grain, o *Owners) {
		ctx := context.Background()
		if err := o.Set(ctx, "c1", Change{At: web, Endpoints: endpoints("10.0.0.1")}); !errors.Is(err, messages.Unavailable) {
			t.Errorf("a connection that nobody has begun: %v", err)
		}
		o.Begin("c1")
		for _, ips := range [][]string{{"10.0.0.1", "10.0.0.2"}, {"10.0.0.3"}, nil, {"10.0.0.4"}} {
			if err := o.Set(ctx, "c1", Change{At: web, Endpoints: endpoints(ips...)}); err != nil || len(g.has[o.Owner("c1")]) != len(ips) || len(o.Get("c1", web)) != len(ips) {
				t.Fatalf("%v: %v, the service has %v", ips, err, g.has)
			}
		}
		if strings.Count(o.Owner("c1"), "/") != 1 {
			t.Errorf("the owner is %s", o.Owner("c1"))
		}
		if conn, here := o.Conn(o.Owner("c1")); conn != "c1" || !here {
			t.Errorf("got %s %v", conn, here)
		}
		o.Drop("c1", false)
		synctest.Wait()
		if len(g.has) != 0 || o.Holds("c1") != 0 {
			t.Errorf("the service has %v", g.has)
		}
		if err := o.Set(ctx, "c1", Change{At: web, Endpoints: endpoints("10.0.0.1")}); !errors.Is(err, messages.Unavailable) || len(g.has) != 0 {
			t.Errorf("a connection that has ended: %v", err)
		}
	})
}

func TestRefusedRegistrationChangesNothing(t *testing.T) {
	owning(t, func(_ *cloud, g *grain, o *Owners) {
		o.Begin("c1")
		_ = o.Set(context.Background(), "c1", Change{At: web, Endpoints: endpoints("10.0.0.1")})
		g.fail = fmt.Errorf("no: %w", messages.Invalid)
		if err := o.Set(context.Background(), "c1", Change{At: web, Endpoints: endpoints("10.0.0.2")}); !errors.Is(err, messages.Invalid) {
			t.Errorf("got %v", err)
		}
		if got := o.Get("c1", web); len(got) != 1 || got[0].Ip != "10.0.0.1" {
			t.Errorf("it keeps %v", got)
		}
	})
}

// What a service has otherwise is put right by the next assurance: after it lost
// something, after a registration of which nobody knows, after a lost goodbye.
func TestAssurance(t *testing.T) {
	for name, harm := range map[string]func(*grain, *Owners){
		"all is lost":     func(g *grain, _ *Owners) { clear(g.has) },
		"a ghost":         func(g *grain, o *Owners) { g.has[o.Owner("c9")] = endpoints("10.0.0.9") },
		"another address": func(g *grain, o *Owners) { g.has[o.Owner("c1")] = endpoints("10.0.0.8") },
		"undecided": func(g *grain, o *Owners) {
			g.fail = fmt.Errorf("busy: %w", messages.Unavailable)
			_ = o.Set(context.Background(), "c1", Change{At: web, Endpoints: endpoints("10.0.0.1", "10.0.0.5")})
		},
	} {
		owning(t, func(c *cloud, g *grain, o *Owners) {
			for _, conn := range []string{"c1", "c2"} {
				o.Begin(conn)
				if err := o.Set(context.Background(), conn, Change{At: web, Endpoints: endpoints("10.0.0.1")}); err != nil {
					t.Fatal(err)
				}
			}
			c.mu.Lock()
			if name != "undecided" {
				harm(g, o)
			}
			c.mu.Unlock()
			if name == "undecided" {
				harm(g, o)
			}
			time.Sleep(keepEvery + time.Second)
			synctest.Wait()
			want := service.Checksum(append(o.Get("c1", web), o.Get("c2", web)...)...)
			var all []*messages.Endpoint
			for _, some := range g.has {
				all = append(all, some...)
			}
			if service.Checksum(all...) != want {
				t.Errorf("%s: the service has %v", name, g.has)
			}
			c.took()
			time.Sleep(keepEvery)
			synctest.Wait()
			if asked := c.took(); len(asked) != 1 {
				t.Errorf("%s: then %v is said", name, asked)
			}
		})
	}
}

func BenchmarkSet(b *testing.B) {
	o := NewOwners(newCloud(nil), "n", zerolog.Nop())
	defer o.Close()
	o.Begin("c1")
	for b.Loop() {
		_ = o.Set(context.Background(), "c1", Change{At: web, Endpoints: endpoints("10.0.0.1")})
	}
}

// TestSetAll: each change has its own answer; of one service the later one counts.
func TestSetAll(t *testing.T) {
	owning(t, func(_ *cloud, g *grain, o *Owners) {
		other, third := actors.Ref{Kind: web.Kind, ID: "other"}, actors.Ref{Kind: web.Kind, ID: "third"}
		set := func(all ...Change) string {
			got := make([]string, len(all))
			o.SetAll(context.Background(), "c1", all, func(i int, err error) { got[i] += messages.KindOf(err).String() }, func() {})
			return strings.ReplaceAll(strings.Join(got, " "), "ERROR_KIND_", "")
		}
		if got := set(Change{At: web, Endpoints: endpoints("10.0.0.1")}); got != "UNAVAILABLE" {
			t.Errorf("of a connection that nobody has begun: %s", got)
		}
		o.Begin("c1")
		got := set(Change{At: web, Endpoints: endpoints("10.0.0.1")}, Change{At: third},
			Change{At: other, Endpoints: endpoints("10.0.0.2"), Max: 1}, Change{At: web, Endpoints: endpoints("10.0.0.3")})
		if got != "NONE NONE EXHAUSTED NONE" {
			t.Errorf("got %s", got)
		}
		if all := o.Get("c1", web); len(all) != 1 || all[0].Ip != "10.0.0.3" || o.Holds("c1") != 1 {
			t.Errorf("it keeps %v in %d services", all, o.Holds("c1"))
		}
		g.fail = fmt.Errorf("no: %w", messages.Invalid)
		if got := set(Change{At: web, Endpoints: endpoints("10.0.0.4")}, Change{At: other, Endpoints: endpoints("10.0.0.5")}); got != "INVALID NONE" {
			t.Errorf("one refused: %s", got)
		}
		if all := o.Get("c1", web); len(all) != 1 || all[0].Ip != "10.0.0.3" {
			t.Errorf("after a refusal it keeps %v", all)
		}
		if got := set(Change{At: web}, Change{At: other}); got != "NONE NONE" || o.Holds("c1") != 0 {
			t.Errorf("got %s, and it keeps something in %d services", got, o.Holds("c1"))
		}
	})
}
