package peer

import (
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// receive takes what the dialled end sent. Frames of unknown kinds, and answers
// that nobody waits for, are passed over.
func (l *link) receive(frames *messages.Frames, with Identity) error {
	l.tally.received(len(frames.GetFrames()))
	ended := l.claim(frames.GetFrames())
	for i, f := range frames.GetFrames() {
		switch body := f.GetBody().(type) {
		case *messages.Frame_Answer:
			if c := ended[i]; c != nil && c.reply != nil {
				l.guard("answer", func() { c.reply(body.Answer, nil) })
			}
		case *messages.Frame_Pong:
			if c := ended[i]; c != nil && c.pong != nil {
				l.tally.rtt(time.Since(c.at))
				l.guard("pong", func() { c.pong(body.Pong, nil) })
			}
		case *messages.Frame_Notice:
			if h := l.d.c.Handler; h != nil {
				l.guard("notice", func() { h.Notice(with, body.Notice) })
			}
		case *messages.Frame_GoAway:
			l.leave(body.GoAway)
		}
	}
	return nil
}

// claim ends the calls that frames answer, under one lock.
func (l *link) claim(frames []*messages.Frame) []*call {
	ended := make([]*call, len(frames))
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range frames {
		c := l.calls[f.GetId()]
		answers := f.GetAnswer() != nil && c != nil && c.reply != nil || f.GetPong() != nil && c != nil && c.pong != nil
		if answers && l.end(c) {
			ended[i] = c
		}
	}
	l.finish()
	return ended
}

// guard keeps a panic of somebody else's code from ending the process.
func (l *link) guard(what string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			l.d.c.panicked(what, v)
		}
	}()
	f()
}
