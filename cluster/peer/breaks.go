package peer

import (
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// stop ends the attempt or stream of that number, if it still is the present one.
func (l *link) stop(attempt int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempt == attempt && l.cancel != nil {
		l.cancel(err)
	}
}

// failed is for an attempt that did not come to a stream.
func (l *link) failed(attempt int, err error) {
	l.mu.Lock()
	if l.attempt != attempt || l.state == closed {
		l.mu.Unlock()
		return
	}
	l.fails++
	l.rest(err)
	fail := l.drop(err, err, false)
	l.mu.Unlock()
	fail()
}

// broke is for a stream that has ended.
func (l *link) broke(attempt int, err error, steady bool) {
	l.mu.Lock()
	if l.attempt != attempt || l.state == closed {
		l.mu.Unlock()
		return
	}
	if steady {
		l.fails = 0
	}
	l.rest(fmt.Errorf("%w: %w", err, ErrUnreachable))
	l.fails++ // unless the next one lasts, there will be a pause before the one after
	fail := l.drop(fmt.Errorf("%w: %w", err, ErrBroken), l.failure, false)
	l.mu.Unlock()
	fail()
}

// rest makes the link idle, with a pause after failures. The caller holds mu.
func (l *link) rest(err error) {
	l.state, l.failure = idle, err
	var pause time.Duration
	if l.fails > 0 {
		pause = min(minRedial<<min(l.fails-1, 10), maxRedial)
	}
	l.retryAt = time.Now().Add(pause)
	if l.d.ctx.Err() == nil && err.Error() != l.noted {
		l.noted = err.Error() // each reason once, until a stream stands
		l.log.Warn().Err(err).Msg("no connection to peer")
	}
}

// renew ends a stream that nobody waits for, so that the next is made with the
// certificates of its day. It says whether it did.
func (l *link) renew(attempt int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempt != attempt || l.state != up || len(l.calls) > 0 || l.out.len() > 0 {
		return false
	}
	l.state, l.retryAt = idle, time.Time{}
	l.attempt++ // what the old one still says counts no more
	l.cancel(errRenewed)
	return true
}

// leave is for a stream whose other end wants no more: what was sent is still
// answered there, the rest was never sent.
func (l *link) leave(g *messages.GoAway) {
	l.mu.Lock()
	if l.state != up {
		l.mu.Unlock()
		return
	}
	l.state = away
	l.failure = &refusal{g.GetReason(), "it wants no more: " + g.GetMessage()}
	fail := l.drop(nil, l.failure, true)
	l.finish()
	l.mu.Unlock()
	fail()
}

// finish ends a stream that is to end once all is answered. The caller holds mu.
func (l *link) finish() {
	if l.state == away && len(l.calls) == 0 {
		l.cancel(l.failure)
	}
}

// watch looks at the link every tick for as long as it owes something, so that a
// dead link is found and an idle one costs nothing. The caller holds mu.
func (l *link) watch() {
	if !l.watching {
		l.watching, l.silent = true, 0
		l.heard = l.count.read.Load()
		time.AfterFunc(tick, l.look)
	}
}

// look is one tick. Any byte from the other end is a sign of life: a large
// message on a slow line is no death. Ticks are counted, not time: a process that
// was stopped itself does not blame the others.
func (l *link) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == idle || l.state == closed || l.state != dialing && len(l.calls) == 0 && l.out.len() == 0 {
		l.watching = false
		return
	}
	if n := l.count.read.Load(); n != l.heard {
		l.heard, l.silent = n, 0
	} else {
		l.silent++
	}
	switch {
	case time.Duration(l.silent)*tick >= l.d.c.Silence:
		l.cancel(fmt.Errorf("not one byte came for %v", l.d.c.Silence))
	case l.silent > 0 && l.state != dialing && l.out.urgent.len() == 0:
		l.out.putUrgent(item{data: beat(false)})
		l.nudge()
	}
	time.AfterFunc(tick, l.look)
}

func (l *link) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
