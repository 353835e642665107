package chaos

import (
	"strings"
	"sync"
	"time"
)

// outages measures how long objects could not be reached: from when somebody asked
// for it until the first good answer through any node; see probe.
type outages struct {
	mu      sync.Mutex
	asked   map[string]time.Time // by "read"/"write" and object: the first question since the last good answer
	longest map[string]time.Duration
	odds    []error
}

func newOutages() *outages {
	return &outages{asked: map[string]time.Time{}, longest: map[string]time.Duration{}}
}

// asks notes that a question is sent.
func (o *outages) asks(what, object string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if key := what + " " + object; o.asked[key].IsZero() {
		o.asked[key] = time.Now()
	}
}

// answered notes a good answer.
func (o *outages) answered(what, object string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := what + " " + object
	if since := o.asked[key]; !since.IsZero() {
		o.longest[what] = max(o.longest[what], time.Since(since))
		delete(o.asked, key)
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
	for key, since := range o.asked {
		what, _, _ := strings.Cut(key, " ")
		o.longest[what] = max(o.longest[what], now.Sub(since))
		o.asked[key] = now // the rest counts for what comes next
	}
	read, write = o.longest["read"], o.longest["write"]
	o.longest = map[string]time.Duration{}
	return read, write
}
