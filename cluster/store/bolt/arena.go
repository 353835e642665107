package bolt

import (
	"encoding/binary"
	"sync"
)

// arena holds the values of one checkpoint as the file has them, until it is done. Its
// blocks serve the next checkpoint too, if that comes soon: megabytes every two
// seconds under load, and nothing when idle.
type arena struct {
	blocks []*block
	free   []byte // of the newest block
}

const blockBytes = 256 << 10

type block [blockBytes]byte

var blocks = sync.Pool{New: func() any { return new(block) }}

// encode is a value with its revision in front.
func (a *arena) encode(revision uint64, value []byte) []byte {
	return append(binary.BigEndian.AppendUint64(a.take(revisionSize+len(value)), revision), value...)
}

// take is room for that many bytes, and no more.
func (a *arena) take(size int) []byte {
	if size > blockBytes/4 { // it would leave much of a block empty
		return make([]byte, 0, size)
	}
	if size > len(a.free) {
		b := blocks.Get().(*block)
		a.blocks, a.free = append(a.blocks, b), b[:]
	}
	room := a.free[:0:size]
	a.free = a.free[size:]
	return room
}

// release ends the use of all that the arena has given out.
func (a *arena) release() {
	for _, b := range a.blocks {
		blocks.Put(b)
	}
	*a = arena{}
}
