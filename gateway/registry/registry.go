// Package registry owns what every dialect of the service registry and of the
// configuration needs on a gateway node: which connection keeps which endpoints,
// beats gathered for their services, and one watch a service or key, fanned out
// to however many listen here. It speaks no dialect, knows no transport, and
// decides nothing about a service: the actors do.
package registry

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// Cloud is what this package asks: *cluster.Client, or a stand-in.
type Cloud interface {
	cluster.Asker
	// Watch answers get now and whenever the grain has changed, until ctx ends.
	Watch(ctx context.Context, ref actors.Ref, get proto.Message) (<-chan watch.Change, error)
	// List reads index entries in the order of their keys.
	List(ctx context.Context, p cluster.Page) (entries []actors.Entry, more bool, err error)
}

var _ Cloud = (*cluster.Client)(nil)

// Limits and times of this package.
const (
	MaxListeners = 2_000_000 // on one node, over all services and keys

	mergeTime = 100 * time.Millisecond // between two states of one feed that changes all the time
	linger    = 30 * time.Second       // for which a feed goes on after its last listener left
	sweepTime = 5 * time.Second        // between two looks at who lingers

	beatTime  = 5 * time.Second // of one batch of beats
	beatBatch = 1000            // beats in one message

	keepEvery   = 5 * time.Second // between two assurances that connections are alive
	keepTime    = 3 * time.Second // of one of them
	keepAtOnce  = 64              // services that are assured at the same time
	dropTime    = 2 * time.Second // of one try to say that a connection has ended
	dropTries   = 5               // then the assurances say it
	dropsAtOnce = 64

	maxViews     = 64       // renderings kept of one state
	maxRendered  = 32 << 20 // bytes of answers kept by a Renders, about
	renderShards = 64
)

func escape(s string) string { return actors.Escape(s) }

func unanswered(what string) error {
	return fmt.Errorf("%s has not answered yet: %w", what, messages.Unavailable)
}
