package bench

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// Frames of HTTP/2 (RFC 9113, 6), as far as a client of gRPC needs them.
const (
	frameHead = 9

	frameData, frameHeaders, frameReset, frameSettings = 0, 1, 3, 4
	framePing, frameGoAway, frameWindow                = 6, 7, 8

	flagEndStream, flagAck, flagEndHeaders = 1, 1, 4

	settingWindow = 4       // SETTINGS_INITIAL_WINDOW_SIZE
	window        = 1 << 30 // more than a run receives: no answer waits for this client
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// callPath is of all requests; streamPath is of what the server says by itself.
const (
	callPath   = "/Request/request"
	streamPath = "/BiRequestStream/requestBiStream"
)

// h2 is one connection of gRPC, as plain as it can be: requests are written as bytes
// that were made before, and of an answer only what tells good from bad is looked
// at. One goroutine writes and reads. What it sends stays well below the 64 KiB that
// a server takes before it has said more, as long as not very many are in flight.
type h2 struct {
	c      net.Conn
	r      *bufio.Reader
	out    []byte
	next   uint32 // stream
	known  bool   // the header fields are in the server's table
	got    int    // DATA since the window was last enlarged
	buffer []byte
}

func dialH2(address string, readBuffer int) (*h2, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	h := &h2{c: c, r: bufio.NewReaderSize(c, readBuffer), next: 1}
	h.out = append(h.out, preface...)
	h.out = appendFrame(h.out, frameSettings, 0, 0, []byte{0, settingWindow, window >> 24, 0, 0, 0})
	h.out = appendFrame(h.out, frameWindow, 0, 0, binary.BigEndian.AppendUint32(nil, window))
	return h, h.flush()
}

func (h *h2) close() { h.c.Close() }

func appendFrame(b []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	b = append(b, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), kind, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// headers are the header fields of a call (RFC 7541): literals that the server puts
// into its table the first time, and five indexes into it from then on.
func (h *h2) headers(path string) []byte {
	if h.known && path == callPath {
		return []byte{0x83, 0x86, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62}
	}
	indexed := byte(0x40)
	if path != callPath {
		indexed = 0 // it is said once
	} else {
		h.known = true
	}
	b := []byte{0x83, 0x86} // :method POST, :scheme http
	b = appendHpack(append(b, indexed|4), path)
	b = appendHpack(append(b, indexed|1), "bench")
	if indexed == 0 {
		b = append(b, 0x0f, 31-15) // an index that does not fit in four bits
	} else {
		b = append(b, indexed|31)
	}
	b = appendHpack(b, "application/grpc")
	return appendHpack(appendHpack(append(b, indexed), "te"), "trailers")
}

func appendHpack(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

// call puts a request into what is to be written, and says its stream.
func (h *h2) call(message []byte) uint32 {
	stream := h.next
	h.next += 2
	h.out = appendFrame(h.out, frameHeaders, flagEndHeaders, stream, h.headers(callPath))
	h.out = appendFrame(h.out, frameData, flagEndStream, stream, message)
	return stream
}

// open begins the stream on which the server speaks, with a first message.
func (h *h2) open(message []byte) uint32 {
	stream := h.next
	h.next += 2
	h.out = appendFrame(h.out, frameHeaders, flagEndHeaders, stream, h.headers(streamPath))
	h.say(stream, message)
	return stream
}

// say sends a message on an open stream.
func (h *h2) say(stream uint32, message []byte) {
	h.out = appendFrame(h.out, frameData, 0, stream, message)
}

func (h *h2) flush() error {
	_, err := h.c.Write(h.out)
	h.out = h.out[:0]
	return err
}

// event is something that came: a message on a stream, or a stream's end.
type event struct {
	stream  uint32
	message []byte // valid until the next one
	ended   bool
}

// read waits for something that matters. What has to be answered, such as a ping, is
// put into what is to be written; when nothing more has come, that is flushed first.
func (h *h2) read() (event, error) {
	for {
		if h.r.Buffered() == 0 && len(h.out) > 0 {
			if err := h.flush(); err != nil {
				return event{}, err
			}
		}
		head, err := h.r.Peek(frameHead)
		if err != nil {
			return event{}, err
		}
		length := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])&(1<<31-1)
		_, _ = h.r.Discard(frameHead) // it is buffered
		if cap(h.buffer) < length {
			h.buffer = make([]byte, length)
		}
		payload := h.buffer[:length]
		if _, err := io.ReadFull(h.r, payload); err != nil {
			return event{}, err
		}
		e, matters, err := h.frame(kind, flags, stream, payload)
		if matters || err != nil {
			return e, err
		}
	}
}

func (h *h2) frame(kind, flags byte, stream uint32, payload []byte) (event, bool, error) {
	ended := flags&flagEndStream != 0
	switch kind {
	case frameData:
		if h.got += len(payload); h.got > window/2 {
			h.out = appendFrame(h.out, frameWindow, 0, 0, binary.BigEndian.AppendUint32(nil, uint32(h.got)))
			h.got = 0
		}
		return event{stream, payload, ended}, true, nil
	case frameHeaders:
		return event{stream: stream, ended: true}, ended, nil
	case frameSettings, framePing:
		if flags&flagAck != 0 {
			return event{}, false, nil
		}
		if kind == frameSettings {
			payload = nil
		}
		h.out = appendFrame(h.out, kind, flagAck, 0, payload)
		return event{}, false, nil
	case frameReset:
		if len(payload) == 4 && binary.BigEndian.Uint32(payload) == 0 { // it is answered already: a server need not have seen the end of the call
			return event{}, false, nil
		}
		return event{}, true, fmt.Errorf("stream %d was reset", stream)
	case frameGoAway:
		return event{}, true, errors.New("the server sends this connection away")
	}
	return event{}, false, nil
}

// failed says that an answer is none that was wanted.
func failed(message []byte) error {
	if bytes.Contains(message, []byte(`"success":true`)) {
		return nil
	}
	return fmt.Errorf("answered %.300q", message)
}
