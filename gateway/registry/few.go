package registry

import "iter"

// fewMost is how many entries a Few looks through one by one.
const fewMost = 8

// Few is a map for what has one entry nearly always, and ten thousand sometimes: of
// the first few nothing is kept but they themselves. The zero value is empty.
type Few[K comparable, V any] struct {
	list []few[K, V]
	more map[K]V // instead, once there were more
}

type few[K comparable, V any] struct {
	key   K
	value V
}

// Get is the value of a key; the zero value if there is none.
func (f *Few[K, V]) Get(key K) (value V) {
	if f.more != nil {
		return f.more[key]
	}
	if i := f.find(key); i >= 0 {
		return f.list[i].value
	}
	return value
}

func (f *Few[K, V]) find(key K) int {
	for i := range f.list {
		if f.list[i].key == key {
			return i
		}
	}
	return -1
}

// Put sets the value of a key.
func (f *Few[K, V]) Put(key K, value V) {
	if f.more != nil {
		f.more[key] = value
		return
	}
	if i := f.find(key); i >= 0 {
		f.list[i].value = value
		return
	}
	if len(f.list) < fewMost {
		f.list = append(f.list, few[K, V]{key, value})
		return
	}
	f.more = make(map[K]V, 2*fewMost)
	for _, e := range f.list {
		f.more[e.key] = e.value
	}
	f.more[key], f.list = value, nil
}

// Delete forgets a key.
func (f *Few[K, V]) Delete(key K) {
	delete(f.more, key)
	i := f.find(key)
	if i < 0 {
		return
	}
	last := len(f.list) - 1
	f.list[i] = f.list[last]
	f.list[last] = few[K, V]{}
	if f.list = f.list[:last]; last == 0 {
		f.list = nil
	}
}

// Len is how many entries there are.
func (f *Few[K, V]) Len() int { return len(f.list) + len(f.more) }

// All visits the entries in no order; nothing may be put or deleted meanwhile.
func (f *Few[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, e := range f.list {
			if !yield(e.key, e.value) {
				return
			}
		}
		for k, v := range f.more {
			if !yield(k, v) {
				return
			}
		}
	}
}
