package cluster

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// maxHeld is how many messages may wait on a node for hand-overs to end.
const maxHeld = 50_000

// held is what waits until this node may activate what it is for.
type held struct {
	node  *Node
	mu    sync.Mutex
	calls []*call
	many  atomic.Int64
}

// keep has c wait. What was decided under routing r is decided again if that has
// been replaced since.
func (h *held) keep(c *call, r *routing) error {
	h.mu.Lock()
	if len(h.calls) >= maxHeld {
		h.prune(time.Now())
	}
	if len(h.calls) >= maxHeld {
		h.mu.Unlock()
		return fmt.Errorf("%d messages wait for a hand-over: %w", maxHeld, messages.Unavailable)
	}
	h.calls = append(h.calls, c)
	h.many.Store(int64(len(h.calls)))
	h.mu.Unlock()
	if h.node.routing.Load() != r {
		h.flush()
	}
	return nil
}

// prune forgets who has given up. Called under h.mu.
func (h *held) prune(now time.Time) {
	h.calls = slices.DeleteFunc(h.calls, func(c *call) bool { return c.answer != nil && c.expired(now) })
}

// flush sends everything on its way again.
func (h *held) flush() {
	h.mu.Lock()
	calls := h.calls
	h.calls = nil
	h.many.Store(0)
	h.mu.Unlock()
	now := time.Now()
	for _, c := range calls {
		if c.answer != nil && c.expired(now) {
			continue
		}
		if err := h.node.deliver(c); err != nil {
			c.reply(nil, err)
		}
	}
}
