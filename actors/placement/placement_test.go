package placement

import (
	"fmt"
	"hash/fnv"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func hostFacts(name string, change func(*messages.HostFacts)) *messages.HostFacts {
	f := &messages.HostFacts{Name: name, AvailabilityZone: "nova", Up: true, Vcpus: 4, RamMib: 4096, DiskGib: 100, Arch: "x86_64"}
	change(f)
	return f
}

func same(*messages.HostFacts) {}

// TestFilters: one row, one host that exactly one filter removes.
func TestFilters(t *testing.T) {
	t.Parallel()
	shape := &messages.ScheduleShape{Vcpus: 2, RamMib: 1024, DiskGib: 10}
	for name, tt := range map[string]struct {
		shape *messages.ScheduleShape
		host  func(*messages.HostFacts)
		want  string // the filter that removes it; empty: it stays
	}{
		"fits":                  {shape, same, ""},
		"down":                  {shape, func(f *messages.HostFacts) { f.Up = false }, "up"},
		"disabled":              {shape, func(f *messages.HostFacts) { f.Disabled = true }, "up"},
		"another was forced":    {&messages.ScheduleShape{Vcpus: 1, Host: "b"}, same, "host"},
		"itself was forced":     {&messages.ScheduleShape{Vcpus: 1, Host: "a"}, same, ""},
		"another zone":          {&messages.ScheduleShape{Vcpus: 1, AvailabilityZone: "x"}, same, "availability_zone"},
		"another architecture":  {&messages.ScheduleShape{Vcpus: 1, Arch: "aarch64"}, same, "arch"},
		"memory to the last":    {&messages.ScheduleShape{Vcpus: 1, RamMib: 4096}, same, ""},
		"memory and one more":   {&messages.ScheduleShape{Vcpus: 1, RamMib: 4097}, same, "ram"},
		"memory in use":         {shape, func(f *messages.HostFacts) { f.RamMibUsed = 3073 }, "ram"},
		"CPUs are shared":       {shape, func(f *messages.HostFacts) { f.VcpusUsed = 62 }, ""},
		"CPUs shared too often": {shape, func(f *messages.HostFacts) { f.VcpusUsed = 63 }, "core"},
		"more CPUs than it has": {&messages.ScheduleShape{Vcpus: 5}, same, "core"},
		"disk":                  {shape, func(f *messages.HostFacts) { f.DiskGibUsed = 91 }, "disk"},
	} {
		d := NewPool([]*messages.HostFacts{hostFacts("a", tt.host)}).Group(tt.shape).Choose(Request{ScheduleShape: tt.shape})
		got := ""
		if len(d.Removed) > 0 {
			got = d.Removed[0].Filter
		}
		if got != tt.want || (d.Chosen == "a") != (tt.want == "") {
			t.Errorf("%s: removed by %q, chosen %q, want %q", name, got, d.Chosen, tt.want)
		}
	}
}

func TestWeighersPreferTheEmptierHost(t *testing.T) {
	t.Parallel()
	shape := &messages.ScheduleShape{Vcpus: 1, RamMib: 1}
	for name, fuller := range map[string]func(*messages.HostFacts){
		"memory": func(f *messages.HostFacts) { f.RamMibUsed = 1024 },
		"CPUs":   func(f *messages.HostFacts) { f.VcpusUsed = 8 },
		"disk":   func(f *messages.HostFacts) { f.DiskGibUsed = 8 },
		"builds": func(f *messages.HostFacts) { f.Building = 3 },
	} {
		d := NewPool([]*messages.HostFacts{hostFacts("full", fuller), hostFacts("empty", same)}).
			Group(shape).Choose(Request{ScheduleShape: shape, Instance: "i"})
		if d.Chosen != "empty" || len(d.Best) != 2 || d.Best[0].Score <= d.Best[1].Score {
			t.Errorf("%s: chose %v", name, d)
		}
	}
}

// TestChoicesSeeEachOther: what one request takes, the next does not find; in
// the end the pool is exactly full and every refusal says why.
func TestChoicesSeeEachOther(t *testing.T) {
	t.Parallel()
	small, large := &messages.ScheduleShape{Vcpus: 1, RamMib: 1024}, &messages.ScheduleShape{Vcpus: 1, RamMib: 2048}
	p := NewPool([]*messages.HostFacts{hostFacts("a", same), hostFacts("b", same)})
	groups := []*Group{p.Group(small), p.Group(large)}
	taken := map[string]int64{}
	for n := range 6 {
		g, shape := groups[n%2], []*messages.ScheduleShape{small, large}[n%2]
		d := g.Choose(Request{ScheduleShape: shape, Instance: fmt.Sprint(n)})
		if n == 5 {
			if d.Chosen != "" || d.Removed[0].Filter != "ram" || d.Removed[0].Hosts != 2 {
				t.Errorf("the last one does not fit, but got %v", d)
			}
			continue
		}
		p.Take(d.Chosen, shape)
		taken[d.Chosen] += shape.RamMib
	}
	if taken["a"]+taken["b"] != 7168 || max(taken["a"], taken["b"]) > 4096 {
		t.Errorf("took %v", taken)
	}
}

func TestExcludedHostsAreSaid(t *testing.T) {
	t.Parallel()
	shape := &messages.ScheduleShape{Vcpus: 1}
	g := NewPool([]*messages.HostFacts{hostFacts("a", same)}).Group(shape)
	d := g.Choose(Request{ScheduleShape: shape, Excluded: []string{"a"}})
	if d.Chosen != "" || len(d.Removed) != 1 || d.Removed[0].Filter != "retry" {
		t.Errorf("got %v", d)
	}
}

// TestTiesSpread: equal hosts share the load, and the same request asks twice
// for the same host.
func TestTiesSpread(t *testing.T) {
	t.Parallel()
	var hosts []*messages.HostFacts
	for n := range 8 {
		hosts = append(hosts, hostFacts(fmt.Sprintf("h%d", n), same))
	}
	shape := &messages.ScheduleShape{Vcpus: 1}
	g := NewPool(hosts).Group(shape)
	seen := map[string]int{}
	for n := range 400 {
		r := Request{ScheduleShape: shape, Instance: fmt.Sprint(n)}
		d := g.Choose(r)
		if again := g.Choose(r); again.Chosen != d.Chosen {
			t.Fatalf("%s, then %s", d.Chosen, again.Chosen)
		}
		seen[d.Chosen]++
	}
	for name, n := range seen {
		if n < 20 || len(seen) != 8 {
			t.Errorf("%s got %d of 400, of %d hosts", name, n, len(seen))
		}
	}
}

// TestMix: ties break as they always have.
func TestMix(t *testing.T) {
	for _, s := range []string{"", "a", "host-00001", "grün\xff"} {
		h := fnv.New64a()
		h.Write([]byte("instance" + s))
		if got := mix(mix(fnvOffset, "instance"), s); got != h.Sum64() {
			t.Errorf("%q: got %x, want %x", s, got, h.Sum64())
		}
	}
}

func manyHosts(n int) (hosts []*messages.HostFacts) {
	for i := range n {
		hosts = append(hosts, hostFacts(fmt.Sprintf("host-%05d", i), func(f *messages.HostFacts) { f.RamMibUsed = int64(i % 512) }))
	}
	return hosts
}

func benchmarkDecision(b *testing.B, n int) {
	hosts, shape := manyHosts(n), &messages.ScheduleShape{Vcpus: 1, RamMib: 128, DiskGib: 1}
	b.ReportAllocs()
	for i := range b.N {
		NewPool(hosts).Group(shape).Choose(Request{ScheduleShape: shape, Instance: fmt.Sprint(i)})
	}
}

func BenchmarkDecision1000(b *testing.B)  { benchmarkDecision(b, 1000) }
func BenchmarkDecision10000(b *testing.B) { benchmarkDecision(b, 10000) }

// BenchmarkCached is a decision in caching mode: over a pool that is known.
func BenchmarkCached10000(b *testing.B) {
	p, shape := NewPool(manyHosts(10000)), &messages.ScheduleShape{Vcpus: 1, RamMib: 128, DiskGib: 1}
	b.ReportAllocs()
	for i := range b.N {
		p = p.Fork()
		d := p.Group(shape).Choose(Request{ScheduleShape: shape, Instance: fmt.Sprint(i)})
		p.Take(d.Chosen, shape)
	}
}
