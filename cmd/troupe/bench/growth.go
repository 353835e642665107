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

	// growthLinear is how much more each member may have to do in a cluster of
	// three times the members, if the whole is to grow linearly.
	growthLinear = 1.25
)

// traffic is what went between members, and between them and Consul.
type traffic struct {
	messages, bytes             uint64
	consulRequests, consulBytes uint64
}

func (t traffic) since(o traffic) traffic {
	return traffic{t.messages - o.messages, t.bytes - o.bytes, t.consulRequests - o.consulRequests, t.consulBytes - o.consulBytes}
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
	each := make([]idleShare, len(r.sizes))
	for i, size := range r.sizes {
		var joined traffic
		for len(h.all) < size {
			before := h.traffic()
			if err := h.grow(r.ctx); err != nil {
				return fmt.Errorf("member %d: %w", len(h.all)+1, err)
			}
			joined = h.traffic().since(before)
		}
		if err := r.pause(settleTime); err != nil {
			return err
		}
		before, began := h.traffic(), time.Now()
		if err := r.pause(growthTime); err != nil {
			return err
		}
		passed, took := h.traffic().since(before), time.Since(began)
		each[i] = share(passed, size, took)
		r.idleRow(size, h.streams(), each[i], joined)
	}
	for i := 1; i < len(each); i++ {
		r.growthRow(r.sizes[i-1], r.sizes[i], each[i-1], each[i])
	}
	return nil
}

// idleShare is what one member has to do in a second: messages and bytes to other
// members, requests to Consul and bytes both ways.
type idleShare struct{ messages, bytes, requests, consulBytes float64 }

func share(t traffic, members int, took time.Duration) idleShare {
	by := float64(members) * took.Seconds()
	return idleShare{float64(t.messages) / by, float64(t.bytes) / by, float64(t.consulRequests) / by, float64(t.consulBytes) / by}
}

func (s idleShare) times(f float64) idleShare {
	return idleShare{s.messages * f, s.bytes * f, s.requests * f, s.consulBytes * f}
}

// most is the largest ratio of any figure to the same of o.
func (s idleShare) most(o idleShare) float64 {
	return max(s.messages/o.messages, s.bytes/o.bytes, s.requests/o.requests, s.consulBytes/o.consulBytes)
}

func (s idleShare) String() string {
	return fmt.Sprintf("%.1f messages/s, %.1f kB/s; Consul %.1f requests/s, %.1f kB/s", s.messages, s.bytes/1000, s.requests, s.consulBytes/1000)
}

func (r *run) idleRow(size, streams int, each idleShare, joined traffic) {
	r.add(fmt.Sprintf("%d idle members: all (each)", size), fmt.Sprintf("%v (%v)", each.times(float64(size)), each), "",
		fmt.Sprintf("%d streams; when the last joined: %d messages, %d kB, Consul %d requests, %d kB",
			streams, joined.messages, joined.bytes/1000, joined.consulRequests, joined.consulBytes/1000))
}

// growthRow says whether what each has to do stays what it is while they grow more.
func (r *run) growthRow(from, to int, before, after idleShare) {
	verdict := "linear"
	if most := after.most(before); most > growthLinear {
		verdict = fmt.Sprintf("x%.2f at most", most)
	}
	r.add(fmt.Sprintf("%d -> %d members: what each one does", from, to),
		fmt.Sprintf("messages x%.2f, bytes x%.2f, Consul requests x%.2f, bytes x%.2f: %s", after.messages/before.messages,
			after.bytes/before.bytes, after.requests/before.requests, after.consulBytes/before.consulBytes, verdict),
		"x1: linear", fmt.Sprintf("the square would be x%.1f; each watches 3 others at most", float64(to)/float64(from)))
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
