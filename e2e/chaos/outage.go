package chaos

import (
	"sync"
	"time"
)

// outages measures how long objects could not be reached. A user who gets no
// answer from one node asks another: what counts is how long an object had no
// good answer through any node, while somebody asked for it.
type outages struct {
	mu      sync.Mutex
	since   map[string]time.Time // "read"/"write" and object: when the first request since the last success was sent
	longest map[string]time.Duration
	odds    []error
}

func newOutages() *outages {
	return &outages{since: map[string]time.Time{}, longest: map[string]time.Duration{}}
}

// saw notes one answer to a request that was sent at began. An object is out of
// reach from the sending of the first request without a good answer until the
// next good one; a good answer that took long is an outage as well.
func (o *outages) saw(what, object string, began time.Time, good bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := what + " " + object
	first, failing := o.since[key]
	switch {
	case good && !failing:
		o.longest[what] = max(o.longest[what], time.Since(began))
	case good:
		o.longest[what] = max(o.longest[what], time.Since(first))
		delete(o.since, key)
	case !failing || began.Before(first):
		o.since[key] = began
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
	for key, began := range o.since {
		what, d := "read", time.Since(began)
		if key[0] == 'w' {
			what = "write"
		}
		o.longest[what] = max(o.longest[what], d)
	}
	read, write = o.longest["read"], o.longest["write"]
	o.longest = map[string]time.Duration{}
	return read, write
}
