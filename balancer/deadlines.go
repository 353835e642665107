package balancer

import (
	"sync"
	"time"
)

// deadlines has calls expire that are not answered in time. Calls that have equally
// long stand in a line, in which the first is the first to expire: so one timer looks
// after all of them, and is set only when it has run. A timer for each call would wake
// a sleeping thread for each, which takes longer than all the rest.
type deadlines struct {
	epoch time.Time // since which real time is counted, whatever clock the balancer has
	mu    sync.Mutex
	lines []*line // one a limit: there are few
}

// line is of calls that have equally long, in the order in which they began.
type line struct {
	limit       time.Duration
	first, last *try
	timer       *time.Timer
}

// place is where a try stands in a line.
type place struct {
	line           *line // nil: in none
	before, behind *try
	due            int64
}

func (d *deadlines) now() int64 { return int64(time.Since(d.epoch)) }

// enter has t expire when its limit is over, counted from now on, unless it leaves,
// or was answered already.
func (d *deadlines) enter(t *try, now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t.place.line != nil || t.state.Load() != asking {
		return
	}
	l := d.line(t.limit)
	t.place = place{line: l, before: l.last, due: now + int64(t.limit)}
	if l.last != nil {
		l.last.place.behind = t
	} else {
		l.first = t
	}
	l.last = t
}

// line is that of a limit, whose timer runs.
func (d *deadlines) line(limit time.Duration) *line {
	for _, l := range d.lines {
		if l.limit == limit {
			return l
		}
	}
	l := &line{limit: limit}
	l.timer = time.AfterFunc(limit, func() { d.look(l) })
	d.lines = append(d.lines, l)
	return l
}

// leave takes t out of its line, if it is in one.
func (d *deadlines) leave(t *try) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(t)
}

func (d *deadlines) remove(t *try) {
	at := t.place
	if at.line == nil {
		return
	}
	if at.before != nil {
		at.before.place.behind = at.behind
	} else {
		at.line.first = at.behind
	}
	if at.behind != nil {
		at.behind.place.before = at.before
	} else {
		at.line.last = at.before
	}
	t.place = place{}
}

// look expires those whose time is over, and looks again when the next one's is. A
// line in which nobody stands is forgotten.
func (d *deadlines) look(l *line) {
	for _, t := range d.over(l) {
		t.expire()
	}
}

func (d *deadlines) over(l *line) (over []*try) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for t := l.first; t != nil && t.place.due <= now; t = l.first {
		d.remove(t)
		over = append(over, t)
	}
	if l.first != nil {
		l.timer.Reset(time.Duration(l.first.place.due - now))
		return over
	}
	for i := range d.lines {
		if d.lines[i] == l {
			d.lines = append(d.lines[:i:i], d.lines[i+1:]...)
			break
		}
	}
	return over
}
