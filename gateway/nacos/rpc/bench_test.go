package rpc

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// The benchmarks have the generator in the same process: what they say is less
// than what the server can.

func benchmark(b *testing.B, conns, callers int, request func(i int) []byte) {
	w := newWorld(b)
	peers := make([]*tester, conns)
	for i := range peers {
		peers[i] = w.client()
	}
	for i := range 256 {
		peers[i%conns].must("InstanceRequest", register("warm"+strconv.Itoa(i), "10.1.0."+strconv.Itoa(i)))
	}
	peers[0].must("ConfigPublishRequest", `{"dataId":"a","group":"g","tenant":"","content":"0123456789012345678901234567890123456789"}`)
	var next atomic.Int64
	before := used()
	b.ResetTimer()
	b.ReportAllocs()
	var all sync.WaitGroup
	for i := range callers {
		p := peers[i%conns]
		all.Go(func() {
			var out payload
			for {
				n := int(next.Add(1))
				if n > b.N {
					return
				}
				out.raw = out.raw[:0]
				if err := p.tcp.Invoke(context.Background(), "/Request/request", request(n), &out, grpc.ForceCodecV2(codec{})); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64((used()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// used is the processor time of the process, generator included.
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkHealth(b *testing.B) {
	raw := client("HealthCheckRequest", "", nil, "{}")
	benchmark(b, 16, 64, func(int) []byte { return raw })
}

func BenchmarkRegister(b *testing.B) {
	benchmark(b, 16, 64, func(i int) []byte {
		return client("InstanceRequest", "", nil, register("s"+strconv.Itoa(i%4096), "10.2.3.4"))
	})
}

func BenchmarkQuery(b *testing.B) {
	benchmark(b, 16, 64, func(i int) []byte {
		return client("ServiceQueryRequest", "", nil, `{"serviceName":"warm`+strconv.Itoa(i%256)+`","groupName":"DEFAULT_GROUP","namespace":"public","cluster":"","healthyOnly":false,"udpPort":0}`)
	})
}

func BenchmarkConfigGet(b *testing.B) {
	raw := client("ConfigQueryRequest", "", nil, `{"dataId":"a","group":"g","tenant":""}`)
	benchmark(b, 16, 64, func(int) []byte { return raw })
}

// BenchmarkFanOut is a service that changes, and 1,000 connections that subscribe
// to it.
func BenchmarkFanOut(b *testing.B) {
	const subscribers = 1000
	w := newWorld(b)
	owner := w.client()
	owner.must("InstanceRequest", register("web", "10.0.0.1"))
	heard := make(chan time.Time, 4*subscribers)
	for range subscribers {
		p := w.client()
		p.must("SubscribeServiceRequest", `{"serviceName":"web","subscribe":true}`)
		go func() {
			for got := range p.pushes {
				if got.kind == "NotifySubscriberRequest" {
					heard <- time.Now()
				}
			}
		}()
	}
	var took []time.Duration
	for i := range b.N {
		time.Sleep(150 * time.Millisecond) // it changes seldom
		began := time.Now()
		owner.must("InstanceRequest", register("web", "10.0.1."+strconv.Itoa(i%200)))
		for range subscribers {
			took = append(took, (<-heard).Sub(began))
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
}
