package udp

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// cloud has one service, which can be watched.
type cloud struct {
	mu    sync.Mutex
	now   *messages.Service
	watch []chan watch.Change
}

func newCloud() *cloud { return &cloud{} }

// set changes the service, and tells who watches.
func (c *cloud) set(s *messages.Service) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = s
	for _, w := range c.watch {
		w <- c.change()
	}
}

func (c *cloud) change() watch.Change {
	if c.now == nil {
		return watch.Change{Err: messages.NotFound}
	}
	return watch.Change{Answer: c.now}
}

func (c *cloud) Watch(_ context.Context, _ actors.Ref, _ proto.Message) (<-chan watch.Change, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := make(chan watch.Change, 100)
	w <- c.change()
	c.watch = append(c.watch, w)
	return w, nil
}

func (c *cloud) Ask(context.Context, actors.Ref, proto.Message) (proto.Message, error) {
	return nil, fmt.Errorf("nobody is asked here: %w", messages.Internal)
}

func (c *cloud) List(context.Context, cluster.Page) ([]actors.Entry, bool, error) {
	return nil, false, nil
}
