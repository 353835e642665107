package cluster

import "sync"

// releases counts the grains that are on their way out of this node, and says
// when the last of a view's has gone.
type releases struct {
	mu    sync.Mutex
	going int
	index uint64 // of the view whose foreign grains have been sent away
	said  uint64
	say   func(index uint64)
}

func (r *releases) add(n int) {
	r.mu.Lock()
	r.going += n
	r.mu.Unlock()
}

func (r *releases) left(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.going -= n
	r.check()
}

// sent notes that all that is another's under that view is on its way out.
func (r *releases) sent(index uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index = index
	r.check()
}

// forget is for a node that has been fenced: what it said before counts no more.
func (r *releases) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index, r.said = 0, 0
}

func (r *releases) check() {
	if r.going == 0 && r.index != r.said {
		r.said = r.index
		r.say(r.index)
	}
}

func (r *releases) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.going
}
