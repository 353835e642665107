package cluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	// DefaultDeadline bounds an Ask whose context has no deadline.
	DefaultDeadline = 10 * time.Second

	// Between tries, while activations end under the ask or move.
	askPause    = 2 * time.Millisecond
	askMaxPause = 500 * time.Millisecond
)

// Client reaches grains. Safe for concurrent use.
type Client struct {
	node *Node
	asks atomic.Uint64

	answerers answerers
}

var _ Asker = (*Client)(nil)

// Ask sends m to a grain and waits for its answer, until ctx ends or, if it has
// no deadline, DefaultDeadline has passed. If the activation ends under it, it
// asks again under the same id, so that a command is done once; if the grain is
// another node's, or moves, it is asked there. The answer and m may be shared
// with the grain: neither may be changed. Errors carry a kind of
// package messages; Unavailable after the deadline leaves the outcome unknown.
func (c *Client) Ask(ctx context.Context, to actors.Ref, m proto.Message) (proto.Message, error) {
	if m == nil {
		return nil, fmt.Errorf("nothing was asked of %v: %w", to, messages.Invalid)
	}
	request := RequestID(ctx)
	if got, err, ok := c.Look(to, m, request); ok {
		return got, err
	}
	if !Waits(ctx) {
		return nil, ErrWait
	}
	ctx, deadline, cancel := bounded(ctx)
	defer cancel()
	return c.ask(ctx, call{to: to, message: m, request: request, dedupe: c.dedupeID(request, m), deadline: deadline})
}

// bounded is ctx with a deadline: its own, or DefaultDeadline from now.
func bounded(ctx context.Context) (context.Context, time.Time, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return ctx, deadline, func() {}
	}
	deadline := time.Now().Add(DefaultDeadline)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	return ctx, deadline, cancel
}

// ask asks until ctx ends, which must have a deadline.
func (c *Client) ask(ctx context.Context, what call) (proto.Message, error) {
	try, sent := what, time.Now()
	got, err := c.once(ctx, &try)
	if err == nil || !again(err) {
		return got, err
	}
	return c.askAgain(ctx, what, sent, err)
}

// askAgain goes on asking what was sent then, and has come to err.
func (c *Client) askAgain(ctx context.Context, what call, sent time.Time, err error) (got proto.Message, _ error) {
	var doubt messages.Doubt
	if what.suspect { // as another node said, whose copies went before
		doubt.Raise(sent)
	}
	for pause := askPause; ; pause = min(4*pause, askMaxPause) {
		if maybe(err) {
			doubt.Raise(sent)
			what.suspect = true
		}
		if what.dedupe != "" && doubt.Lasts(time.Now()) {
			return nil, fmt.Errorf("%v: it may have been done: %w", what.to, err)
		}
		if c.node.stopping.Load() || !c.node.newer(ctx, newerView(err), pause) {
			return nil, fmt.Errorf("%v: %w", what.to, err)
		}
		try := what
		sent = time.Now()
		if got, err = c.once(ctx, &try); err == nil || !again(err) {
			return got, err
		}
	}
}

// newer waits for a view of that index or, if this node has it already, for any
// that is newer, but no longer than about pause; false if ctx ended first.
func (n *Node) newer(ctx context.Context, index uint64, pause time.Duration) bool {
	r := n.routing.Load()
	if r == nil {
		return sleep(ctx, jitter(pause))
	}
	if index > r.view.Index {
		pause = askMaxPause
	}
	t := time.NewTimer(jitter(pause))
	defer t.Stop()
	select {
	case <-r.changed:
		return ctx.Err() == nil
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

type reply struct {
	message proto.Message
	err     error
}

func (c *Client) once(ctx context.Context, ask *call) (proto.Message, error) {
	if c.node.stopping.Load() {
		return nil, errStopping
	}
	answers := make(chan reply, 1)
	ask.answer = func(m proto.Message, err error) { answers <- reply{m, err} }
	if err := c.node.deliver(ask); err != nil {
		return nil, err
	}
	select {
	case r := <-answers:
		return r.message, r.err
	case <-ctx.Done():
		return nil, unanswered(ctx, ask.to)
	}
}

func unanswered(ctx context.Context, to actors.Ref) error {
	return fmt.Errorf("%v did not answer in time (%w): %w", to, ctx.Err(), messages.Unavailable)
}

// Tell sends m to a grain and waits for nothing. An error means that it was not
// sent; without one it is delivered unless the node dies or the grain moves.
func (c *Client) Tell(ctx context.Context, to actors.Ref, m proto.Message) error {
	if m == nil {
		return fmt.Errorf("nothing was told to %v: %w", to, messages.Invalid)
	}
	if c.node.stopping.Load() {
		return errStopping
	}
	return c.node.deliver(&call{to: to, message: m, request: RequestID(ctx)})
}

// dedupeID names one command. Under an outer request the same command has the
// same id however often it is asked; without one each Ask has its own.
func (c *Client) dedupeID(request string, m proto.Message) string {
	if messages.IsQuery(m) {
		return ""
	}
	if request != "" {
		if id := messages.CommandID(request, m); id != "" {
			return id
		}
	}
	return c.node.prefix() + strconv.FormatUint(c.asks.Add(1), 36)
}

// List reads index entries, in the order of their keys. A list begun after a
// command was answered holds what that command wrote.
func (c *Client) List(ctx context.Context, p Page) (entries []actors.Entry, more bool, err error) {
	after := p.After
	if after != "" {
		after = indexPrefix + after
	}
	items, more, err := c.node.store.List(ctx, indexPrefix+p.Prefix, after, p.Limit)
	if err != nil {
		return nil, false, err
	}
	return entriesOf(items), more, nil
}

// ListAll reads all index entries below several prefixes, of which none begins with
// another, in the order of their keys. In a store across a network that is one journey
// where there are few; there they are as of one moment, too. It holds what List does.
func (c *Client) ListAll(ctx context.Context, prefixes ...string) (entries []actors.Entry, err error) {
	if s, ok := c.node.store.(store.Gatherer); ok {
		keys := make([]string, len(prefixes))
		for i, p := range prefixes {
			keys[i] = indexPrefix + p
		}
		items, whole, err := s.ListAll(ctx, keys...)
		if err != nil || whole {
			return entriesOf(items), err
		}
	}
	for _, p := range slices.Sorted(slices.Values(prefixes)) {
		page := Page{Prefix: p}
		for more := true; more; {
			var some []actors.Entry
			if some, more, err = c.List(ctx, page); err != nil {
				return nil, err
			}
			if entries = append(entries, some...); len(some) > 0 {
				page.After = some[len(some)-1].Key
			}
		}
	}
	return entries, nil
}

func entriesOf(items []store.Item) []actors.Entry {
	entries := make([]actors.Entry, len(items))
	for i, item := range items {
		entries[i] = actors.Entry{Key: strings.TrimPrefix(item.Key, indexPrefix), Value: item.Value}
	}
	return entries
}

const indexPrefix = "index/"
