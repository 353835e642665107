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
	since   map[string]time.Time // "read"/"write" and object: the first failure since the last success
	longest map[string]time.Duration
	odds    []error
}

func newOutages() *outages {
	return &outages{since: map[string]time.Time{}, longest: map[string]time.Duration{}}
}

// saw notes one answer.
func (o *outages) saw(what string, _ int, object string, good bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := what + " " + object
	began, failing := o.since[key]
	switch {
	case good && failing:
		o.longest[what] = max(o.longest[what], time.Since(began))
		delete(o.since, key)
	case !good && !failing:
		o.since[key] = time.Now()
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
