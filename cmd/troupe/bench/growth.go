package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/peer/rates"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/sim"
)

const (
	growthTime    = 6 * time.Second // for which each size is left alone: two renewals of a session
	growthPause   = 10 * time.Millisecond
	growthTimeout = time.Minute // for one member to be taken in by all
	growthPrefix  = "growth"

	// watchedByEach is how many others a member pings (package view).
	watchedByEach = 3
)

// traffic is what went between members, and between them and Consul.
type traffic struct {
	messages, bytes             uint64
	consulRequests, consulBytes uint64
}

func (t traffic) since(o traffic) traffic {
	return traffic{t.messages - o.messages, t.bytes - o.bytes, t.consulRequests - o.consulRequests, t.consulBytes - o.consulBytes}
}

// share is traffic by something: by member and second, or as a multiple of another.
type share struct{ messages, bytes, requests, consulBytes float64 }

func (t traffic) over(n float64) share {
	return share{float64(t.messages) / n, float64(t.bytes) / n, float64(t.consulRequests) / n, float64(t.consulBytes) / n}
}

// by is how many times o it is.
func (s share) by(o share) share {
	return share{s.messages / o.messages, s.bytes / o.bytes, s.requests / o.requests, s.consulBytes / o.consulBytes}
}

func (s share) String() string {
	return fmt.Sprintf("messages x%.2f, bytes x%.2f; Consul: requests x%.2f, bytes x%.2f", s.messages, s.bytes, s.requests, s.consulBytes)
}

// herd is many members in this process, and the tap through which they reach Consul.
type herd struct {
	all    []*guest
	hosts  []*sim.Driver
	ca     *pki.CA
	consul consul.Config
	tap    *tap
}

// traffic is what there has been so far. Each end counts what it sends.
func (h *herd) traffic() (t traffic) {
	for _, g := range h.all {
		for _, stats := range [][]peer.Stat{g.Server().Stats(), g.Server().Inbound()} {
			for _, s := range stats {
				t.messages += s.SentFrames
				t.bytes += s.SentBytes
			}
		}
	}
	t.consulRequests, t.consulBytes = h.tap.requests.Load(), h.tap.bytes.Load()
	return t
}

// streams is how many connections stand between members.
func (h *herd) streams() (n int) {
	for _, g := range h.all {
		n += len(g.Server().Inbound())
	}
	return n
}

// growth measures what members say to each other and to Consul while nobody asks
// anything, and what one more costs them.
func growth(r *run) (err error) {
	if err := r.group.endAll(); err != nil {
		return err
	}
	h, err := newHerd(r.group.consul)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close(context.WithoutCancel(r.ctx))) }()
	idle, joins := make([]share, len(r.sizes)), make([]share, len(r.sizes))
	for i, size := range r.sizes {
		for len(h.all) < size {
			before := h.traffic()
			if err := h.grow(r.ctx); err != nil {
				return fmt.Errorf("member %d: %w", len(h.all)+1, err)
			}
			joins[i] = h.traffic().since(before).over(1)
		}
		if err := r.pause(settleTime); err != nil {
			return err
		}
		before, began := h.traffic(), time.Now()
		if err := r.pause(growthTime); err != nil {
			return err
		}
		idle[i] = h.traffic().since(before).over(float64(size) * time.Since(began).Seconds())
		r.sizeRows(size, h.streams(), idle[i], joins[i])
	}
	for i := 1; i < len(r.sizes); i++ {
		r.growthRows(r.sizes[i-1], r.sizes[i], idle[i].by(idle[i-1]), joins[i].by(joins[i-1]))
	}
	return nil
}

func (r *run) sizeRows(size, streams int, each, join share) {
	all := each.by(share{1 / float64(size), 1 / float64(size), 1 / float64(size), 1 / float64(size)})
	r.add(fmt.Sprintf("%d idle members: to each other, all (each)", size),
		fmt.Sprintf("%.0f messages/s, %.1f kB/s (%.1f, %.1f)", all.messages, all.bytes/1000, each.messages, each.bytes/1000),
		"", fmt.Sprintf("%d streams stand", streams))
	r.add(fmt.Sprintf("%d idle members: with Consul, all (each)", size),
		fmt.Sprintf("%.1f requests/s, %.1f kB/s (%.1f, %.1f)", all.requests, all.consulBytes/1000, each.requests, each.consulBytes/1000), "", "")
	r.add(fmt.Sprintf("number %d joins: all that is said", size),
		fmt.Sprintf("%.0f messages, %.0f kB; Consul %.0f requests, %.0f kB", join.messages, join.bytes/1000, join.requests, join.consulBytes/1000), "", "")
}

// growthRows say how fast it grows: what each member does when idle, and what all do
// when one joins.
func (r *run) growthRows(from, to int, idle, join share) {
	grown := float64(to) / float64(from)
	wanted := "x1: linear in all"
	if from <= watchedByEach {
		wanted = fmt.Sprintf("x%.1f: each watches %d others at most", float64(watchedByEach)/float64(from-1), watchedByEach)
	}
	r.add(fmt.Sprintf("%d -> %d idle members: what each does", from, to), idle.String(), wanted,
		fmt.Sprintf("if all grew with the square: x%.1f", grown))
	r.add(fmt.Sprintf("%d -> %d members: what one join costs", from, to), join.String(), "",
		fmt.Sprintf("linear x%.1f, square x%.1f: all tell all that they let go, and read the table of all", grown, grown*grown))
}

func newHerd(c *consultest.Cluster) (*herd, error) {
	ca, err := pki.NewCA(growthPrefix, time.Now())
	if err != nil {
		return nil, err
	}
	t, err := newTap(c.Addr())
	if err != nil {
		return nil, err
	}
	return &herd{ca: ca, tap: t, consul: consul.Config{Address: t.address, Prefix: growthPrefix}}, nil
}

// grow has one more member join, and waits until everybody has taken it in.
func (h *herd) grow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, growthTimeout)
	defer cancel()
	name := fmt.Sprintf("member%02d", len(h.all)+1)
	source, err := rates.SelfIssued(h.ca, name)
	if err != nil {
		return err
	}
	g, err := join(ctx, h.consul, source, view.Control|view.Compute, host.Spec(), scheduler.Spec(scheduler.Filter))
	if err != nil {
		return err
	}
	h.all = append(h.all, g)
	d := sim.New(sim.Config{Name: name})
	h.hosts = append(h.hosts, d)
	if err := g.node.AttachHost(name, "nova", d); err != nil {
		return err
	}
	for {
		v := g.View()
		if self, ok := v.ByID(g.Self().ID); ok && len(self.Hosts) == 1 && settled(h.all) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not everybody knows it: %w", ctx.Err())
		case <-time.After(growthPause):
		}
	}
}

func (h *herd) close(ctx context.Context) error {
	errs := make([]error, len(h.all))
	for i := len(h.all) - 1; i >= 0; i-- {
		errs[i] = h.all[i].leave(ctx)
	}
	for _, d := range h.hosts {
		errs = append(errs, d.Close())
	}
	return errors.Join(append(errs, h.tap.close())...)
}
