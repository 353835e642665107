package cluster

// queue is first in, first out. The zero value is empty and holds no memory.
type queue[T any] struct {
	ring []T // of a power of two
	head int
	size int
}

const (
	leastQueue = 4
	// keptQueue is the ring that an empty queue keeps at most.
	keptQueue = 16
)

func (q *queue[T]) push(v T) {
	if q.size == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.size)&(len(q.ring)-1)] = v
	q.size++
}

func (q *queue[T]) grow() {
	ring := make([]T, max(leastQueue, 2*len(q.ring)))
	n := copy(ring, q.ring[q.head:])
	copy(ring[n:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}

func (q *queue[T]) pop() (v T, ok bool) {
	if q.size == 0 {
		return v, false
	}
	var none T
	v, q.ring[q.head] = q.ring[q.head], none
	q.head = (q.head + 1) & (len(q.ring) - 1)
	if q.size--; q.size == 0 && len(q.ring) > keptQueue {
		q.ring, q.head = nil, 0
	}
	return v, true
}
