package cluster_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/messages"
)

// quickly waits in real time until something holds.
func quickly(b testing.TB, what string, holds func() bool) {
	b.Helper()
	for until := time.Now().Add(5 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			b.Fatalf("it took too long until %s", what)
		}
	}
}

func silent(b testing.TB, config clustertest.Config, kinds ...actors.Kind) *nodes {
	c := newNodes(b, config, kinds...)
	c.log = zerolog.Nop()
	return c
}

// BenchmarkRemoteQuery asks grains of the other node; the network costs nothing.
func BenchmarkRemoteQuery(b *testing.B) {
	c := silent(b, clustertest.Config{}, plainKind())
	c.startAs("a", view.AllRoles)
	c.startAs("b", view.AllRoles)
	quickly(b, "the nodes know each other", c.world.Settled)
	var far []int
	for i := 0; len(far) < 64; i++ {
		if c.owner(plainRef(i)) == "b" {
			far = append(far, i)
		}
	}
	callers(b, 64, "asks/s", func(i int) error { return ask(c.all["a"], plainRef(far[i]), &messages.GetQuota{}) })
	b.StopTimer()
	c.close()
}

// BenchmarkHandOver has a node join that gets half of 100,000 grains: from the
// join to the stable view. At half the number it must take half as long.
func BenchmarkHandOver(b *testing.B) {
	for _, many := range []int{crowd / 2, crowd} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			var took time.Duration
			for range b.N {
				c := silent(b, clustertest.Config{}, plainKind())
				n := c.startAs("a", view.AllRoles)
				quickly(b, "the node is alone", c.world.Settled)
				var wg sync.WaitGroup
				for w := range 64 {
					wg.Go(func() {
						for i := w; i < many; i += 64 {
							if err := ask(n, plainRef(i), &messages.GetQuota{}); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				runtime.GC()
				began := time.Now()
				c.startAs("b", view.AllRoles)
				quickly(b, "the view is stable", c.world.Settled)
				took += time.Since(began)
				if left := n.Client().Stats().Actors["plain"]; left == 0 || left > int64(many)*6/10 {
					b.Errorf("%d grains are left", left)
				}
				c.close()
			}
			b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms/hand-over")
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N)/float64(many), "ns/grain")
		})
	}
}

// BenchmarkDecide is one decision of the scheduler over 10,000 hosts on three
// nodes, from the question to the answer.
func BenchmarkDecide(b *testing.B) {
	const perNode = 3334
	for _, mode := range []scheduler.Mode{scheduler.Filter, scheduler.Caching} {
		b.Run(string(mode), func(b *testing.B) {
			chosen := make(chan *messages.HostChosen, 100)
			asker := actors.Spec[struct{}]{Name: "instance", Volatile: true, Step: func(s struct{}, in actors.Input) (struct{}, []actors.Effect, error) {
				switch m := in.Message.(type) {
				case *messages.HostChosen:
					chosen <- m
				case *messages.NoHostFound:
					chosen <- nil
				}
				return s, nil, nil
			}}.Kind()
			c := silent(b, clustertest.Config{}, host.Spec(), scheduler.Spec(mode), asker)
			for _, name := range []string{"a", "b", "c"} {
				n := c.startAs(name, view.AllRoles)
				for i := range perNode {
					d := sim.New(sim.Config{Name: fmt.Sprintf("%s-%d", name, i)})
					b.Cleanup(func() { _ = d.Close() })
					if err := n.AttachHost(fmt.Sprintf("%s-%d", name, i), "nova", d); err != nil {
						b.Fatal(err)
					}
				}
			}
			id := 0
			decide := func() *messages.HostChosen {
				id++
				m := &messages.ScheduleInstance{InstanceId: fmt.Sprint(id), Attempt: 1, Shape: &messages.ScheduleShape{Vcpus: 1, RamMib: 64, DiskGib: 1}}
				for { // who asks asks again: a scheduler that moves forgets
					if err := ask(c.all["a"], actors.Ref{Kind: "scheduler", ID: "main"}, m); err != nil {
						b.Fatal(err)
					}
					select {
					case d := <-chosen:
						if d == nil || d.InstanceId == m.InstanceId {
							return d
						}
					case <-time.After(3 * time.Second):
					}
				}
			}
			quickly(b, "all hosts are known", func() bool {
				d := decide()
				return d != nil && d.Decision.Hosts == 3*perNode
			})
			b.ResetTimer()
			for range b.N {
				if d := decide(); d == nil || d.Decision.Hosts != 3*perNode {
					b.Fatalf("decided by %v", d)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/decision")
			b.StopTimer()
			c.close()
		})
	}
}
