package cluster_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/bolt"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// plain is the smallest kind: what a bench of it measures is the shell.
func plainKind() actors.Kind {
	type state struct {
		N   int64
		Pad string // a record of a usual size
	}
	return actors.Spec[state]{Name: "plain", Step: func(s state, in actors.Input) (state, []actors.Effect, error) {
		if _, ok := in.Message.(*messages.ReleaseQuota); ok {
			s.N++
			if s.Pad == "" {
				s.Pad = string(make([]byte, 100))
			}
		}
		return s, nil, nil
	}}.Kind()
}

func plainRef(i int) actors.Ref { return actors.Ref{Kind: "plain", ID: fmt.Sprintf("grain-%07d", i)} }

func boltStore(b *testing.B) store.Store {
	s, err := bolt.Open(filepath.Join(b.TempDir(), "db"), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// callers shares b.N among many goroutines; do gets the caller's number.
func callers(b *testing.B, many int, unit string, do func(caller int) error) {
	for c := range many { // activations do not count
		if err := do(c); err != nil {
			b.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	before := cpuTime()
	for c := range many {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), unit)
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpuTime is what this process has used of the processors: on a machine that
// others use too it says more than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func ask(n *cluster.Node, to actors.Ref, m actors.Message) error {
	_, err := n.Client().Ask(context.Background(), to, m)
	return err
}

// BenchmarkQuery asks grains in memory.
func BenchmarkQuery(b *testing.B) {
	for _, many := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("%dcallers", many), func(b *testing.B) {
			n := start(b, mem.New(), plainKind())
			callers(b, many, "asks/s", func(c int) error { return ask(n, plainRef(c), &messages.GetQuota{}) })
		})
	}
}

// BenchmarkCommand changes grains, each commit durable before its answer.
func BenchmarkCommand(b *testing.B) {
	for _, many := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("%dwriters", many), func(b *testing.B) {
			n := start(b, boltStore(b), plainKind())
			callers(b, many, "commands/s", func(c int) error { return ask(n, plainRef(c), &messages.ReleaseQuota{}) })
			b.ReportMetric(float64(n.Client().Stats().Commits)/float64(b.N), "commits/command")
		})
		b.Run(fmt.Sprintf("%dwriters-one-grain", many), func(b *testing.B) {
			n := start(b, boltStore(b), plainKind())
			callers(b, many, "commands/s", func(int) error { return ask(n, plainRef(0), &messages.ReleaseQuota{}) })
			b.ReportMetric(float64(n.Client().Stats().Commits)/float64(b.N), "commits/command")
		})
	}
}

// BenchmarkRawCommit is the store alone: what BenchmarkCommand is held against.
func BenchmarkRawCommit(b *testing.B) {
	for _, many := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("%dwriters", many), func(b *testing.B) {
			s, revs, value := boltStore(b), make([]uint64, many), make([]byte, 256)
			callers(b, many, "commits/s", func(c int) (err error) {
				key := fmt.Sprintf("grain/plain/%d", c)
				revs[c], err = s.Commit(context.Background(), store.Txn{
					Checks: []store.Check{{Key: key, Revision: revs[c]}},
					Writes: []store.Write{{Key: key, Value: value}},
				})
				return err
			})
		})
	}
}

type echo struct{}

func (echo) Receive(c actor.Context) {
	if _, ok := c.Message().(*messages.GetQuota); ok {
		c.Respond(&messages.Done{})
	}
}

// BenchmarkRawRequest is protoactor alone: what BenchmarkQuery is held against.
func BenchmarkRawRequest(b *testing.B) {
	for _, many := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("%dcallers", many), func(b *testing.B) {
			system := actor.NewActorSystem(actor.WithLoggerFactory(quiet))
			defer system.Shutdown()
			pids := make([]*actor.PID, many)
			for i := range pids {
				pids[i] = system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return echo{} }))
			}
			callers(b, many, "requests/s", func(c int) error {
				_, err := system.Root.RequestFuture(pids[c], &messages.GetQuota{}, 10*time.Second).Result()
				return err
			})
			for _, p := range pids {
				_ = system.Root.StopFuture(p).Wait()
			}
		})
	}
}

const crowd = 100_000

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

func activate(b *testing.B, n *cluster.Node) {
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < crowd; i += 64 {
				if err := ask(n, plainRef(i), &messages.GetQuota{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkIdle is what a grain costs that is in memory and does nothing.
func BenchmarkIdle(b *testing.B) {
	for range b.N {
		n := startWith(b, cluster.Config{Name: "n", Store: mem.New(), Kinds: []actors.Kind{plainKind()}, IdleTimeout: time.Hour})
		if err := ask(n, plainRef(0), &messages.GetQuota{}); err != nil {
			b.Fatal(err)
		}
		before := heap()
		activate(b, n)
		b.ReportMetric((heap()-before)/crowd, "B/actor")
		stop(b, n)
	}
}

// BenchmarkCrowd activates 100,000 grains and sends them all away.
func BenchmarkCrowd(b *testing.B) {
	var up, down time.Duration
	for range b.N {
		n, err := cluster.Start(context.Background(), cluster.Config{
			Name: "n", Store: boltStore(b), Kinds: []actors.Kind{plainKind()}, IdleTimeout: time.Hour, Log: zerolog.Nop(),
		})
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		activate(b, n)
		up += time.Since(began)
		began = time.Now()
		stop(b, n)
		down += time.Since(began)
	}
	b.ReportMetric(crowd*float64(b.N)/up.Seconds(), "activations/s")
	b.ReportMetric(crowd*float64(b.N)/down.Seconds(), "passivations/s")
}
