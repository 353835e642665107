package placement

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

// reference decides as slowly as the rules are written down: every host is asked
// anew, and scores are sorted.
func reference(hosts []*messages.HostFacts, r Request) *messages.Decision {
	d := &messages.Decision{Hosts: int32(len(hosts))}
	removed := make([]messages.FilterCount, len(filters)+1)
	var left []*messages.HostFacts
next:
	for _, h := range hosts {
		for i, f := range filters {
			if !f.keep(r, Host{h}) {
				if removed[i].Hosts++; removed[i].Hosts == 1 {
					removed[i].Filter, removed[i].Example = f.name, h.Name
				}
				continue next
			}
		}
		if slices.Contains(r.Excluded, h.Name) {
			last := &removed[len(filters)]
			last.Filter, last.Hosts, last.Example = "retry", last.Hosts+1, h.Name
			continue
		}
		left = append(left, h)
	}
	for i := range removed {
		if removed[i].Hosts > 0 {
			d.Removed = append(d.Removed, &removed[i])
		}
	}
	var low, high scores
	for i, w := range weighers {
		low[i], high[i] = math.Inf(1), math.Inf(-1)
		for _, h := range left {
			v := w.weigh(r, Host{h})
			low[i], high[i] = min(low[i], v), max(high[i], v)
		}
	}
	for _, h := range left {
		s := &messages.HostScore{Host: h.Name}
		for i, w := range weighers {
			raw, share := w.weigh(r, Host{h}), 0.0
			if high[i] != low[i] {
				share = w.multiplier * (raw - low[i]) / (high[i] - low[i])
			}
			s.Shares = append(s.Shares, &messages.WeighShare{Weigher: w.name, Raw: raw, Share: share})
			s.Score += share
		}
		d.Best = append(d.Best, s)
	}
	slices.SortStableFunc(d.Best, func(a, b *messages.HostScore) int {
		if math.Abs(a.Score-b.Score) > equal {
			return cmp.Compare(b.Score, a.Score)
		}
		from := mix(fnvOffset, r.Instance)
		return cmp.Compare(mix(from, b.Host), mix(from, a.Host))
	})
	if d.Best = d.Best[:min(len(d.Best), explained)]; len(d.Best) > 0 {
		d.Chosen = d.Best[0].Host
	}
	return d
}

// TestDecisionsAreTheReference: over a pool that is forked again and again, as in
// caching mode, every decision is explained exactly as one that asks all anew.
func TestDecisionsAreTheReference(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		hosts := randomHosts(rng, 1+rng.IntN(2*pieceSize))
		shapes := []*messages.ScheduleShape{
			{Vcpus: 1, RamMib: 512, DiskGib: 1}, {Vcpus: 2, RamMib: 1024}, {Vcpus: 1, RamMib: 256, AvailabilityZone: "b"},
			{Vcpus: 4, RamMib: 2048, DiskGib: 20, Arch: "x86_64"}, {Vcpus: 1, Host: hosts[0].Name},
		}
		pool := NewPool(hosts)
		slices.SortFunc(hosts, func(a, b *messages.HostFacts) int { return cmp.Compare(a.Name, b.Name) })
		for n := range 60 {
			if rng.IntN(3) == 0 {
				pool = pool.Fork()
			}
			shape := shapes[rng.IntN(len(shapes))]
			r := Request{ScheduleShape: shape, Instance: fmt.Sprint(n)}
			for range rng.IntN(4) {
				r.Excluded = append(r.Excluded, hosts[rng.IntN(len(hosts))].Name)
			}
			want, got := reference(hosts, r), pool.Group(shape).Choose(r)
			if !proto.Equal(want, got) {
				t.Fatalf("seed %d, decision %d:\n got %v\nwant %v", seed, n, got, want)
			}
			pool.Take(got.Chosen, shape)
			if i := slices.IndexFunc(hosts, func(h *messages.HostFacts) bool { return h.Name == got.Chosen }); i >= 0 {
				hosts[i] = Claimed(shape, hosts[i])
			}
		}
	}
}

// randomHosts are few sizes of hosts, so that there are ties, some of them nearly full.
func randomHosts(rng *rand.Rand, n int) (hosts []*messages.HostFacts) {
	for i := range n {
		h := hostFacts(fmt.Sprintf("host-%04d", i), same)
		h.Vcpus, h.RamMib, h.Up = 1+rng.Int32N(4), 1024*(1+rng.Int64N(3)), rng.IntN(20) > 0
		h.VcpusUsed, h.DiskGibUsed, h.Building = rng.Int32N(60), rng.Int64N(3)*45, rng.Int32N(2)
		if rng.IntN(4) == 0 {
			h.AvailabilityZone = "b"
		}
		hosts = append(hosts, h)
	}
	rng.Shuffle(n, func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	return hosts
}

// TestForksDoNotShow: what is taken in a fork is not taken where it came from.
func TestForksDoNotShow(t *testing.T) {
	t.Parallel()
	shape := &messages.ScheduleShape{Vcpus: 1, RamMib: 4096}
	p := NewPool([]*messages.HostFacts{hostFacts("a", same)})
	p.Group(shape)
	for range 2 {
		f := p.Fork()
		if d := f.Group(shape).Choose(Request{ScheduleShape: shape}); d.Chosen != "a" {
			t.Fatalf("got %v", d)
		}
		f.Take("a", shape)
		if d := f.Group(shape).Choose(Request{ScheduleShape: shape}); d.Chosen != "" || d.Removed[0].Example != "a" {
			t.Errorf("it is full, but got %v", d)
		}
	}
}
