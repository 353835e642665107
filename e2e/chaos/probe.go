package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	askAnother = 200 * time.Millisecond // after so long without a good answer the next node is asked, too
	probePause = 150 * time.Millisecond // between two questions about one object
)

// probe asks for objects all the time, one question at a time for each to read and
// one to write: what has no good answer is asked again, of the next node, while the
// nodes that were asked before may still answer. So an outage is how long such a
// client waits, and not how rarely somebody happens to ask.
func (c *cloud) probe(ctx context.Context, ids []string, watch *outages) {
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() {
			c.ask(ctx, i, "read", id, watch, func(ctx context.Context, node, _ int) error {
				_, err := c.show(ctx, node, id)
				return err
			})
		})
		all.Go(func() {
			c.ask(ctx, i+1, "write", id, watch, func(ctx context.Context, node, n int) error {
				return c.call(ctx, node, http.MethodPut, "/compute/v2.1/servers/"+id+"/metadata/probe",
					map[string]any{"meta": map[string]string{"probe": fmt.Sprint(n)}}, nil)
			})
		})
	}
	all.Wait()
}

type question func(ctx context.Context, node, n int) error

func (c *cloud) ask(ctx context.Context, first int, what, id string, watch *outages, q question) {
	for n := first; ; n++ {
		watch.asks(what, id)
		if !hedged(ctx, n, q) {
			return
		}
		watch.answered(what, id)
		if !sleep(ctx, probePause) {
			return
		}
	}
}

// hedged asks one node after the other until one has answered well; false if ctx
// ended before.
func hedged(ctx context.Context, n int, q question) bool {
	asking, stop := context.WithCancel(ctx)
	good := make(chan struct{}, 1)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	next := time.NewTicker(askAnother)
	defer next.Stop()
	for i := n; ; i++ {
		all.Go(func() {
			one, cancel := context.WithTimeout(asking, registerTimeout)
			defer cancel()
			if q(one, i%members, n) == nil {
				select {
				case good <- struct{}{}:
				default:
				}
			}
		})
		select {
		case <-good:
			return true
		case <-next.C:
		case <-ctx.Done():
			return false
		}
	}
}
