package cluster

import (
	"context"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	probes       = 128                   // at once on this node
	probeBacklog = 16384                 // that wait for their turn; more are dropped, and asked for again
	probeGather  = 50 * time.Millisecond // for which results are gathered before they are told
	probeTimeout = 10 * time.Second      // of one, whatever the prober's own is
)

// Prober looks whether an endpoint answers: nil if it does. Its own time limit
// should be below 10 seconds.
type Prober func(ctx context.Context, key *messages.EndpointKey, check *messages.HealthCheck) error

// probe looks at targets, and tells the grain what it found.
func (n *Node) probe(ref actors.Ref, targets []actors.ProbeTarget) {
	if n.config.Prober == nil || n.stopping.Load() {
		return
	}
	if n.probing.Add(int64(len(targets))) > probeBacklog {
		n.probing.Add(-int64(len(targets)))
		return
	}
	results := make(chan *messages.ProbeResult, len(targets))
	n.tasks.Go(func() {
		for _, t := range targets {
			if !acquire(n.ctx, n.probers) {
				n.probing.Add(-1)
				results <- nil
				continue
			}
			n.tasks.Go(func() {
				defer release(n.probers)
				defer n.probing.Add(-1)
				results <- n.probeOne(t)
			})
		}
	})
	n.tasks.Go(func() { n.gather(ref, results, len(targets)) })
}

func (n *Node) probeOne(t actors.ProbeTarget) *messages.ProbeResult {
	ctx, cancel := context.WithTimeout(n.ctx, probeTimeout)
	defer cancel()
	began := time.Now()
	err := guard(func() error { return n.config.Prober(ctx, t.Key, t.Check) })
	if n.ctx.Err() != nil {
		return nil // it says nothing about the endpoint
	}
	r := &messages.ProbeResult{Key: t.Key, Ok: err == nil, TookNs: time.Since(began).Nanoseconds()}
	if err != nil {
		r.Reason = messages.Sentence(err)
	}
	return r
}

// gather tells results as they come, those of a moment together.
func (n *Node) gather(ref actors.Ref, results <-chan *messages.ProbeResult, left int) {
	for left > 0 {
		found := &messages.EndpointsProbed{}
		var moment <-chan time.Time
		for open := true; open && left > 0; {
			select {
			case r := <-results:
				if left--; r != nil {
					found.Results = append(found.Results, r)
				}
				if moment == nil {
					moment = time.After(probeGather)
				}
			case <-moment:
				open = false
			}
		}
		if len(found.Results) > 0 && n.ctx.Err() == nil {
			n.tell(ref, found, "")
		}
	}
}
