package h2

import (
	"net"
	"sync"
)

// input reads ahead: little while a client says little, more while it says much.
type input struct {
	conn       net.Conn
	small, big []byte
	b          []byte // what is read and not used yet; a part of small or big
}

const bigBuffer = maxFrame + frameHead

var bigBuffers = sync.Pool{New: func() any { return new([bigBuffer]byte) }}

// has says whether n bytes are there without reading more.
func (in *input) has(n int) bool { return len(in.b) >= n }

// next is the next n bytes, at most bigBuffer; good until the next call.
func (in *input) next(n int) ([]byte, error) {
	for len(in.b) < n {
		if err := in.fill(n); err != nil {
			return nil, err
		}
	}
	b := in.b[:n]
	in.b = in.b[n:]
	return b, nil
}

func (in *input) fill(n int) error {
	room := in.room(n)
	had := copy(room, in.b)
	got, err := in.conn.Read(room[had:])
	in.b = room[:had+got]
	if got > 0 {
		if in.big != nil && n <= smallBuffer && had+got < smallBuffer/2 {
			in.shrink()
		} else if in.big == nil && had+got == smallBuffer {
			in.grow()
		}
		return nil
	}
	return err
}

// room is the buffer that holds n bytes.
func (in *input) room(n int) []byte {
	if in.big == nil && n > smallBuffer {
		in.grow()
	}
	if in.big != nil {
		return in.big
	}
	if in.small == nil {
		in.small = make([]byte, smallBuffer)
	}
	return in.small
}

func (in *input) grow() {
	big := bigBuffers.Get().(*[bigBuffer]byte)
	in.big = big[:]
	in.b = in.big[:copy(in.big, in.b)]
	in.small = nil
}

func (in *input) shrink() {
	in.small = make([]byte, smallBuffer)
	in.b = in.small[:copy(in.small, in.b)]
	in.close()
}

// close gives the memory back.
func (in *input) close() {
	if in.big != nil {
		bigBuffers.Put((*[bigBuffer]byte)(in.big))
		in.big = nil
	}
}
