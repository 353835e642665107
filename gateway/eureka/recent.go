package eureka

import (
	"container/list"
	"time"
)

// recent is what has changed in the last minutes: of each instance the last change.
type recent struct {
	order *list.List // of *change, the oldest first
	of    map[changeKey]*list.Element
}

type changeKey struct{ app, id string }

type change struct {
	changeKey
	entry  *entry
	action string
	at     time.Time
}

func newRecent() recent { return recent{list.New(), map[changeKey]*list.Element{}} }

func (r *recent) add(c *change) {
	if old := r.of[c.changeKey]; old != nil {
		r.order.Remove(old)
	}
	r.of[c.changeKey] = r.order.PushBack(c)
	if r.order.Len() > maxRecent {
		r.drop(r.order.Front())
	}
	r.expire(c.at)
}

func (r *recent) drop(e *list.Element) {
	r.order.Remove(e)
	delete(r.of, e.Value.(*change).changeKey)
}

// expire forgets what is older than a delta tells.
func (r *recent) expire(now time.Time) {
	for e := r.order.Front(); e != nil && now.Sub(e.Value.(*change).at) > recentEntries; e = r.order.Front() {
		r.drop(e)
	}
}

func (r *recent) all(yield func(*change) bool) {
	for e := r.order.Front(); e != nil; e = e.Next() {
		if !yield(e.Value.(*change)) {
			return
		}
	}
}
