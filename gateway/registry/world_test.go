package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// cloud answers as answer says, and lets a test make changes.
type cloud struct {
	answer func(ref actors.Ref, m proto.Message) (proto.Message, error)

	mu      sync.Mutex
	asked   []proto.Message
	watches map[actors.Ref][]chan watch.Change
	entries []actors.Entry
}

func newCloud(answer func(actors.Ref, proto.Message) (proto.Message, error)) *cloud {
	return &cloud{answer: answer, watches: map[actors.Ref][]chan watch.Change{}}
}

func (c *cloud) Ask(_ context.Context, ref actors.Ref, m proto.Message) (proto.Message, error) {
	c.mu.Lock()
	c.asked = append(c.asked, m)
	c.mu.Unlock()
	if c.answer == nil {
		return &messages.Done{}, nil
	}
	return c.answer(ref, m)
}

// took is what was asked since the last call.
func (c *cloud) took() []proto.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.asked
	c.asked = nil
	return all
}

func (c *cloud) Watch(ctx context.Context, ref actors.Ref, _ proto.Message) (<-chan watch.Change, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ref.ID == "too-many" {
		return nil, fmt.Errorf("full: %w", messages.Exhausted)
	}
	out := make(chan watch.Change, 100)
	c.watches[ref] = append(c.watches[ref], out)
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watches[ref] = slices.DeleteFunc(c.watches[ref], func(o chan watch.Change) bool { return o == out })
		close(out)
	})
	return out, nil
}

func (c *cloud) change(ref actors.Ref, answer proto.Message, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, out := range c.watches[ref] {
		out <- watch.Change{Answer: answer, Err: err}
	}
}

func (c *cloud) watched(ref actors.Ref) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.watches[ref])
}

func (c *cloud) List(_ context.Context, p cluster.Page) ([]actors.Entry, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []actors.Entry
	for _, e := range c.entries {
		if strings.HasPrefix(e.Key, p.Prefix) && e.Key > p.After {
			if len(all) == 2 { // small pages
				return all, true, nil
			}
			all = append(all, e)
		}
	}
	return all, false, nil
}
