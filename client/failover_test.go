package client_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/client"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/messages"
)

// create creates a server on a host and waits until it is ACTIVE.
func (w *world) create(c *client.Client, host string) (id string, changes <-chan client.InstanceChange) {
	w.t.Helper()
	v, err := c.CreateInstance(w.t.Context(), client.InstanceSpec{Name: "web", Project: "p", Image: "small", Flavor: "m1.tiny", Host: host})
	if err != nil {
		w.t.Fatal(err)
	}
	changes, err = c.WatchInstance(w.t.Context(), v.Id)
	if err != nil {
		w.t.Fatal(err)
	}
	w.become(changes, messages.VMState_VM_STATE_ACTIVE)
	return v.Id, changes
}

// TestNodeEnds: while the node that a program speaks to leaves or dies, no call of
// it fails, and it goes on seeing what it watches. It knew of one node only.
func TestNodeEnds(t *testing.T) {
	for name, end := range map[string]func(*world, string){"leave": (*world).stop, "kill": (*world).kill} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a", "b", "c")
			c, ctx := w.client(pki.Identity{Name: "shop"}, "a"), t.Context()
			id, changes := w.create(c, "host-b")
			reading, cancel := context.WithCancel(ctx)
			defer cancel()
			var all sync.WaitGroup
			began := make(chan struct{}, 4)
			for range 4 {
				all.Go(func() {
					for n := 0; reading.Err() == nil; n++ {
						if _, err := c.Instance(reading, id); err != nil && reading.Err() == nil {
							t.Errorf("read %d: %v", n, err)
						}
						if n == 0 {
							began <- struct{}{}
						}
					}
				})
			}
			for range 4 {
				<-began
			}
			end(w, "a")
			if err := c.Stop(ctx, id); err != nil {
				t.Fatal(err)
			}
			w.become(changes, messages.VMState_VM_STATE_STOPPED)
			if err := c.Start(ctx, id); err != nil {
				t.Fatal(err)
			}
			w.become(changes, messages.VMState_VM_STATE_ACTIVE)
			cancel()
			all.Wait()
			history, err := c.InstanceActions(ctx, id)
			if err != nil || len(history) != 3 {
				t.Errorf("done %d times, want 3: %v", len(history), err)
			}
		})
	}
}

// TestNobody: without a node the error says so before the deadline is far behind.
func TestNobody(t *testing.T) {
	w := newWorld(t, "a")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // takes connections and says nothing
	shop := w.ca.Source(t, pki.Identity{Role: pki.Client, Name: "shop"}, pki.DefaultClientLife)
	for name, tt := range map[string]struct {
		config client.Config
		want   error
	}{
		"nobody listens":         {client.Config{Addresses: []string{"127.0.0.1:1"}, Source: shop}, messages.Unavailable},
		"nobody speaks":          {client.Config{Addresses: []string{l.Addr().String()}, Source: shop}, messages.Unavailable},
		"no address":             {client.Config{Source: shop}, messages.Invalid},
		"no certificate":         {client.Config{Addresses: []string{"127.0.0.1:1"}}, messages.Invalid},
		"no such folder":         {client.Config{Addresses: []string{"127.0.0.1:1"}, Dir: t.TempDir()}, messages.NotFound},
		"a node's certificate":   {client.Config{Addresses: []string{"127.0.0.1:1"}, Source: w.ca.Node(t, "x")}, messages.Invalid},
		"another cluster's":      {client.Config{Addresses: []string{w.address("a")}, Source: other(t)}, messages.Denied},
		"two ways to one's name": {client.Config{Addresses: []string{"127.0.0.1:1"}, Source: shop, Dir: t.TempDir()}, messages.Invalid},
	} {
		limit := patience
		if errors.Is(tt.want, messages.Unavailable) {
			limit = time.Second // it is waited for in vain
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		c, err := client.Open(ctx, tt.config)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if c != nil {
			_ = c.Close()
		}
		cancel()
	}
}

// TestFirstIsDown: a program starts while some of its nodes are down, and calls
// that were begun end when it closes.
func TestFirstIsDown(t *testing.T) {
	w := newWorld(t, "a")
	c, err := client.Open(t.Context(), client.Config{
		Addresses: []string{"127.0.0.1:1", "127.0.0.1:2", w.address("a")},
		Source:    w.ca.Source(t, pki.Identity{Role: pki.Client, Name: "shop"}, pki.DefaultClientLife),
	})
	if err != nil {
		t.Fatal(err)
	}
	if members, err := c.Members(t.Context()); err != nil || len(members) != 1 || members[0].GetName() != "a" {
		t.Errorf("members: %v, %v", members, err)
	}
	watched, err := c.Watch(t.Context(), "project", "p", &messages.GetQuota{})
	if err != nil {
		t.Fatal(err)
	}
	if first := <-watched; first.Err != nil {
		t.Error(first.Err)
	}
	if _, err := c.Watch(t.Context(), "project", "p", &messages.SetQuota{}); !errors.Is(err, messages.Invalid) {
		t.Errorf("a command was watched: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for range watched { // it is closed
	}
	if _, err := c.Members(t.Context()); !errors.Is(err, messages.Unavailable) {
		t.Errorf("after it was closed: %v", err)
	}
	if _, err := c.Watch(t.Context(), "project", "p", &messages.GetQuota{}); !errors.Is(err, messages.Unavailable) {
		t.Errorf("after it was closed: %v", err)
	}
}
