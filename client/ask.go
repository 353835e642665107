package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/messages"
)

// Between tries.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = 500 * time.Millisecond
)

// Ask sends a message to an actor and waits for its answer, until ctx ends or, if
// it has no deadline, DefaultTimeout has passed. Whatever becomes of nodes
// meanwhile, a command is done once. Only the messages that messages.Public names
// may be sent; anything else is Denied.
func (c *Client) Ask(ctx context.Context, kind, id string, m proto.Message) (proto.Message, error) {
	if m == nil {
		return nil, fmt.Errorf("nothing was asked of %s.%s: %w", kind, id, messages.Invalid)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}
	e, err := c.envelope(ctx, kind, id, m)
	if err != nil {
		return nil, err
	}
	return c.deliver(ctx, e)
}

// Ask asks and expects an answer of type T.
func Ask[T proto.Message](ctx context.Context, c *Client, kind, id string, m proto.Message) (T, error) {
	var none T
	got, err := c.Ask(ctx, kind, id, m)
	if err != nil {
		return none, err
	}
	t, ok := got.(T)
	if !ok {
		return none, fmt.Errorf("%s.%s answered %T with %T: %w", kind, id, m, got, messages.Internal)
	}
	return t, nil
}

func (c *Client) envelope(ctx context.Context, kind, id string, m proto.Message) (*messages.Envelope, error) {
	payload, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%T cannot be encoded (%w): %w", m, err, messages.Invalid)
	}
	e := &messages.Envelope{Kind: kind, Id: id, Method: messages.NameOf(m), Payload: payload}
	if e.RequestId = c.request(ctx); !messages.IsQuery(m) {
		e.DedupeId = messages.CommandID(e.RequestId, m)
	}
	return e, nil
}

// request is the id that ctx is marked with, or a new one.
func (c *Client) request(ctx context.Context) string {
	if id, _ := ctx.Value(requestKey{}).(string); id != "" {
		return id
	}
	return "req-" + c.prefix + strconv.FormatUint(c.asks.Add(1), 36)
}

// deliver asks one node after the other until there is an answer.
func (c *Client) deliver(ctx context.Context, e *messages.Envelope) (proto.Message, error) {
	deadline, _ := ctx.Deadline()
	e.DeadlineUnixMs = deadline.UnixMilli()
	refused := map[string]bool{}
	var doubt messages.Doubt
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		node := c.nodes.pick()
		sent := time.Now()
		e.TimeoutMs = max(time.Until(deadline).Milliseconds(), 1)
		maybe := false
		reply, err := c.dialer.Call(ctx, node.member(), e)
		switch {
		case err == nil && !reply.GetMoved():
			c.nodes.worked(node)
			return answer(reply)
		case err == nil: // it lives, but this is not the moment
			maybe = reply.GetMaybe()
			err = &messages.Refusal{Kind: messages.Unavailable, Sentence: reply.GetMessage()}
			c.nodes.moveOn(node)
		case errors.Is(err, peer.ErrRejected):
			c.nodes.failed(node)
			if refused[node.address] = true; len(refused) >= c.nodes.count() {
				return nil, fmt.Errorf("%w: %w", err, messages.Denied)
			}
		case errors.Is(err, peer.ErrBusy):
		case errors.Is(err, peer.ErrUnreachable) || errors.Is(err, peer.ErrBroken):
			maybe = errors.Is(err, peer.ErrBroken)
			c.nodes.failed(node)
		default:
			return nil, late(ctx, err)
		}
		if maybe {
			doubt.Raise(sent)
			e.Suspect = true
		}
		if e.DedupeId != "" && doubt.Lasts(time.Now()) {
			return nil, fmt.Errorf("it may have been done: %w", err)
		}
		if c.ctx.Err() != nil || !sleep(ctx, pause) {
			return nil, late(ctx, err)
		}
	}
}

// late says that ctx ended over err, if it did.
func late(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("it ended without an answer (%w); at last: %w", ctx.Err(), err)
}

// answer is what a reply says.
func answer(r *messages.Reply) (proto.Message, error) {
	if err := messages.Refused(r.GetError(), r.GetMessage()); err != nil {
		return nil, err
	}
	return messages.Decode(r.GetMethod(), r.GetPayload())
}

// sleep waits for about d; false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
