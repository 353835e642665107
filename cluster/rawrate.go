package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/messages"
)

// rawTimeout is how long one raw request may take.
const rawTimeout = 5 * time.Second

// RawRequestRate measures what protoactor itself can do on this machine: how
// many requests a second that many callers get answered, each by an actor of
// its own that does nothing. The benchmarks hold the runtime against it.
func RawRequestRate(ctx context.Context, callers int, during time.Duration) (perSecond float64, err error) {
	system := newSystem(zerolog.Nop())
	defer system.Shutdown()
	answer := &messages.Done{}
	props := actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(*messages.Nudged); ok {
			c.Respond(answer)
		}
	})
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	var all sync.WaitGroup
	var answered atomic.Int64
	var failed atomic.Pointer[error]
	began := time.Now()
	for range callers {
		pid := system.Root.Spawn(props)
		all.Go(func() {
			for { // once at least, however busy the machine is
				if _, err := system.Root.RequestFuture(pid, &messages.Nudged{}, rawTimeout).Result(); err != nil {
					err = fmt.Errorf("raw request: %w", err)
					failed.Store(&err)
					return
				}
				answered.Add(1)
				if ctx.Err() != nil {
					return
				}
			}
		})
	}
	all.Wait()
	if e := failed.Load(); e != nil {
		return 0, *e
	}
	return float64(answered.Load()) / time.Since(began).Seconds(), nil
}
