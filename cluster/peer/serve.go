package peer

import (
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/messages"
)

// receive takes what the other end sent. Frames of unknown kinds are passed over.
func (x *session) receive(frames *messages.Frames) error {
	x.tally.received(len(frames.GetFrames()))
	for _, f := range frames.GetFrames() {
		var err error
		switch body := f.GetBody().(type) {
		case *messages.Frame_Call:
			x.call(f.GetId(), body.Call)
		case *messages.Frame_Ping:
			err = x.ping(f.GetId(), body.Ping)
		case *messages.Frame_Notice:
			x.guard("notice", func() { x.s.c.Handler.Notice(x.from, body.Notice) })
		case *messages.Frame_Beat:
			if !body.Beat.GetAnswer() {
				x.put(beat(true), true)
			}
		case *messages.Frame_Hello:
			err = status.Error(codes.InvalidArgument, "greeted twice")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *session) guard(what string, f func()) (panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			x.s.c.panicked(what, v)
			panicked = true
		}
	}()
	f()
	return false
}

// call hands a call to the handler. Whatever happens, it is answered once.
func (x *session) call(id uint64, e *messages.Envelope) {
	if e.GetTell() {
		x.guard("tell", func() { x.s.c.Handler.Call(x.from, e, nil) })
		return
	}
	if !x.serve() {
		x.answer(id, refused(messages.Unavailable, "too many calls of %s are being answered", x.from.Name))
		return
	}
	var answered atomic.Bool
	answer := func(r *messages.Reply) {
		if !answered.CompareAndSwap(false, true) {
			return
		}
		x.answer(id, r)
		x.served()
	}
	if x.guard("call", func() { x.s.c.Handler.Call(x.from, e, answer) }) {
		answer(refused(messages.Internal, "internal error"))
	}
}

func refused(kind error, format string, args ...any) *messages.Reply {
	return &messages.Reply{Error: messages.KindOf(kind), Message: fmt.Sprintf(format, args...)}
}

func (x *session) answer(id uint64, r *messages.Reply) {
	if r == nil {
		r = refused(messages.Internal, "internal error")
	}
	data, err := encode(&messages.Frame{Id: id, Body: &messages.Frame_Answer{Answer: r}})
	if err != nil {
		data = mustEncode(&messages.Frame{Id: id, Body: &messages.Frame_Answer{
			Answer: refused(messages.Internal, "the answer cannot be sent: %s", messages.Sentence(err))}})
	}
	x.put(data, false)
}

func (x *session) serve() bool {
	limit := maxServingNode
	if x.from.Role == RoleClient {
		limit = maxServingClient
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.serving >= limit {
		return false
	}
	x.serving++
	return true
}

func (x *session) served() {
	x.mu.Lock()
	x.serving--
	over := x.leaving && x.serving == 0
	x.mu.Unlock()
	if over {
		x.nudge()
	}
}

// ping answers at once, but for pings on behalf of others: those take their time.
func (x *session) ping(id uint64, p *messages.Ping) error {
	if x.from.Role != RoleNode {
		return status.Error(codes.PermissionDenied, "only nodes ping")
	}
	if p.GetAskFor() == "" {
		x.pong(id, p)
		return nil
	}
	if x.indirect.Add(1) > maxIndirect {
		x.indirect.Add(-1)
		return nil // it hears no pong: it will ask somebody else
	}
	x.s.running.Go(func() {
		defer x.indirect.Add(-1)
		x.pong(id, p)
	})
	return nil
}

func (x *session) pong(id uint64, p *messages.Ping) {
	var pong *messages.Pong
	x.guard("ping", func() { pong = x.s.c.Handler.Ping(x.from, p) })
	if pong == nil {
		return
	}
	if data, err := encode(&messages.Frame{Id: id, Body: &messages.Frame_Pong{Pong: pong}}); err == nil {
		x.put(data, true)
	}
}
