package chaos

import (
	"strings"
	"sync"
	"time"
)

// outages measures how long objects could not be reached. A user who gets no
// answer from one node asks another: what counts is how long there was no good
// answer about an object through any node, while users went on asking for it.
type outages struct {
	mu      sync.Mutex
	last    map[string]time.Time // by "read"/"write" and object: when the last good answer came
	longest map[string]time.Duration
	odds    []error
}

func newOutages() *outages {
	return &outages{last: map[string]time.Time{}, longest: map[string]time.Duration{}}
}

// saw notes one answer.
func (o *outages) saw(what, object string, good bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key, now := what+" "+object, time.Now()
	last, asked := o.last[key]
	if asked && good {
		o.longest[what] = max(o.longest[what], now.Sub(last))
	}
	if good || !asked {
		o.last[key] = now
	}
}

// odd notes an answer that nobody should get.
func (o *outages) odd(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.odds = append(o.odds, err)
}

// take returns the longest outages since it was last asked, running ones included.
func (o *outages) take() (read, write time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for key, last := range o.last {
		what, _, _ := strings.Cut(key, " ")
		o.longest[what] = max(o.longest[what], now.Sub(last))
	}
	read, write = o.longest["read"], o.longest["write"]
	o.longest = map[string]time.Duration{}
	return read, write
}
