package cluster

import (
	"context"
	"runtime"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
)

// Question is one of those that are asked together.
type Question struct {
	To      actors.Ref
	Message proto.Message
}

// AskTogether asks several grains at once, each as Ask does, and calls answered with the
// number of a question as soon as that is answered; it returns when all are. It calls
// idle before it waits. Who has many questions needs no goroutine for each of them, and
// what is answered at about the same time he hears in one go.
func AskTogether(ctx context.Context, of Asker, all []Question, answered func(i int, m proto.Message, err error), idle func()) {
	if c, ok := of.(*Client); ok {
		c.askTogether(ctx, all, answered, idle)
		return
	}
	for i, q := range all {
		idle()
		m, err := of.Ask(ctx, q.To, q.Message)
		answered(i, m, err)
	}
}

// together is questions that are under way, and the one who waits for them.
type together struct {
	client  *Client
	ctx     context.Context
	asks    []call
	sent    time.Time
	done    []bool        // was answered
	answers chan numbered // with room for all: of each question there is one at a time
}

// numbered is what came of one of several questions.
type numbered struct {
	reply
	i    int
	last bool // it is not asked again
}

func (c *Client) askTogether(ctx context.Context, all []Question, answered func(i int, m proto.Message, err error), idle func()) {
	ctx, deadline, cancel := bounded(ctx)
	defer cancel()
	t := &together{client: c, ctx: ctx, sent: time.Now(), asks: make([]call, len(all)), done: make([]bool, len(all)), answers: make(chan numbered, len(all))}
	request := RequestID(ctx)
	for i, q := range all {
		t.asks[i] = call{to: q.To, message: q.Message, request: request, dedupe: c.dedupeID(request, q.Message), deadline: deadline}
		t.send(i)
	}
	for left := len(all); left > 0; {
		a, ok := t.next(idle)
		switch {
		case !ok:
			for i, done := range t.done {
				if !done {
					answered(i, nil, unanswered(ctx, t.asks[i].to))
				}
			}
			return
		case a.err != nil && !a.last && again(a.err):
			go t.repeat(a)
		default:
			t.done[a.i] = true
			left--
			answered(a.i, a.message, a.err)
		}
	}
}

// send asks one question for the first time.
func (t *together) send(i int) {
	n, ask := t.client.node, &t.asks[i]
	ask.answer = func(m proto.Message, err error) { t.answers <- numbered{reply: reply{m, err}, i: i} }
	err := errStopping
	if !n.stopping.Load() {
		err = n.deliver(ask)
	}
	if err != nil {
		t.answers <- numbered{reply: reply{err: err}, i: i}
	}
}

// repeat goes on asking what failed in a way that passes.
func (t *together) repeat(a numbered) {
	was := &t.asks[a.i] // which its grain may still look at
	what := call{to: was.to, message: was.message, request: was.request, dedupe: was.dedupe, deadline: was.deadline}
	m, err := t.client.askAgain(t.ctx, what, t.sent, a.err)
	t.answers <- numbered{reply: reply{m, err}, i: a.i, last: true}
}

// next is the next answer; false if none came in time.
func (t *together) next(idle func()) (numbered, bool) {
	select {
	case a := <-t.answers:
		return a, true
	default:
		runtime.Gosched() // others are just about to answer, as a rule
	}
	select {
	case a := <-t.answers:
		return a, true
	default:
		idle()
	}
	select {
	case a := <-t.answers:
		return a, true
	case <-t.ctx.Done():
		return numbered{}, false
	}
}
