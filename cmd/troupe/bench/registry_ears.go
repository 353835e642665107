package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
)

// ears listen on many connections for what the server says by itself. All of them
// together are one goroutine: they stand for clients with processors of their own,
// and what they do is all that such a client has to. They read, take the frames, the
// payload and its JSON apart, and answer.
type ears struct {
	poll int
	kind string // of what they listen for
	gc   int    // the percentage that is set again at the end
	wg   sync.WaitGroup

	mu     sync.Mutex
	all    map[int32]*ear
	heard  []pushed
	want   int    // of them so many, that
	of     string // tell of this version, are all that is waited for
	got    int
	enough chan struct{}
}

// ear is one connection that is listened on.
type ear struct {
	fd     int
	stream uint32
	rest   []byte // of a frame that has not come in full
	spoken []byte // of a message that goes on in the next frame
}

// pushed is something that the server has said by itself.
type pushed struct {
	of      *ear
	kind    string
	id      string // of the request
	version string // of the first instance that it tells of; may be empty
	after   time.Time
}

const (
	earBuffer = 64 << 10 // read at once
	earEvents = 256      // connections that are looked at at once
	// earGarbage lets garbage gather meanwhile, in percent of what is alive: a thousand
	// clients with processors of their own would not all stop together to collect it.
	earGarbage = 1000
)

// newEars listens on all of them for what is of a kind; nothing else may be done on
// them from then on. Questions whether a client lives are answered. Close ends it,
// and the connections.
func newEars(clients []*client, kind string) (*ears, error) {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	e := &ears{poll: poll, kind: kind, all: map[int32]*ear{}, enough: make(chan struct{}, 1), gc: debug.SetGCPercent(earGarbage)}
	for _, c := range clients {
		if err := e.listen(c); err != nil {
			e.close()
			return nil, err
		}
	}
	e.wg.Go(e.hear)
	return e, nil
}

// listen takes a connection away from the runtime's poller.
func (e *ears) listen(c *client) error {
	tcp, ok := c.c.(*net.TCPConn)
	if !ok || c.r.Buffered() > 0 || len(c.out) > 0 {
		return errors.New("a connection has still to be read or written")
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	a := &ear{stream: c.stream}
	var failed error
	if err := raw.Control(func(fd uintptr) { a.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	_ = tcp.Close() // the connection is a.fd's
	e.all[int32(a.fd)] = a
	return unix.EpollCtl(e.poll, unix.EPOLL_CTL_ADD, a.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(a.fd)})
}

// expect begins to collect what is said, until so many have heard of a version.
func (e *ears) expect(want int, version string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.want, e.of, e.got, e.heard = want, version, 0, make([]pushed, 0, want)
}

// await is all that was heard since expect, once it is enough.
func (e *ears) await() ([]pushed, error) {
	limit := time.NewTimer(heardTime)
	defer limit.Stop()
	select {
	case <-e.enough:
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.heard, nil
	case <-limit.C:
		e.mu.Lock()
		defer e.mu.Unlock()
		return nil, fmt.Errorf("%d of %d have heard of it after %v", e.got, e.want, heardTime)
	}
}

func (e *ears) tell(p pushed) {
	if p.kind != e.kind {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, p)
	if p.version != e.of {
		return // of an earlier one
	}
	if e.got++; e.got == e.want {
		e.enough <- struct{}{}
	}
}

// close ends all connections.
func (e *ears) close() {
	e.mu.Lock()
	for _, a := range e.all {
		_ = unix.Shutdown(a.fd, unix.SHUT_RDWR) // the reader sees it
	}
	e.mu.Unlock()
	e.wg.Wait()
	_ = unix.Close(e.poll)
	debug.SetGCPercent(e.gc)
}

// hear reads until all connections have ended.
func (e *ears) hear() {
	buffer, events := make([]byte, earBuffer), make([]unix.EpollEvent, earEvents)
	for left := len(e.all); left > 0; {
		n, err := unix.EpollWait(e.poll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		for _, ready := range events[:max(n, 0)] {
			a := e.all[ready.Fd]
			got, err := unix.Read(a.fd, buffer)
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
				continue
			}
			if err == nil && got > 0 {
				err = a.take(buffer[:got], time.Now(), e.tell)
			}
			if err != nil || got <= 0 {
				left--
				e.forget(a)
			}
		}
	}
}

func (e *ears) forget(a *ear) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.all, int32(a.fd))
	_ = unix.Close(a.fd)
}

// take takes the frames in what was read, and what is said in them.
func (a *ear) take(b []byte, now time.Time, tell func(pushed)) error {
	if len(a.rest) > 0 {
		a.rest = append(a.rest, b...)
		b = a.rest
	}
	for len(b) >= frameHead {
		length := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		if len(b) < frameHead+length {
			break
		}
		if err := a.frame(b[3], b[4], binary.BigEndian.Uint32(b[5:])&(1<<31-1), b[frameHead:frameHead+length], now, tell); err != nil {
			return err
		}
		b = b[frameHead+length:]
	}
	a.rest = append(a.rest[:0], b...)
	if len(a.rest) == 0 {
		a.rest = nil
	}
	return nil
}

func (a *ear) frame(kind, flags byte, stream uint32, payload []byte, now time.Time, tell func(pushed)) error {
	switch {
	case kind == frameGoAway:
		return errors.New("the server sends this connection away")
	case kind == framePing && flags&flagAck == 0:
		return a.write(appendFrame(nil, framePing, flagAck, 0, payload))
	case kind != frameData || stream != a.stream:
		return nil
	}
	if len(a.spoken) > 0 {
		payload = append(a.spoken, payload...)
	}
	for len(payload) >= grpcPrefix {
		end := grpcPrefix + int(binary.BigEndian.Uint32(payload[1:]))
		if len(payload) < end {
			break
		}
		p, err := parsePush(payload[grpcPrefix:end])
		if err != nil {
			return err
		}
		p.of, p.after = a, now
		if p.kind != "ClientDetectionRequest" {
			tell(p)
		} else if err := p.acknowledge("ClientDetectionResponse"); err != nil {
			return err
		}
		payload = payload[end:]
	}
	a.spoken = append([]byte(nil), payload...)
	return nil
}

func (a *ear) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(a.fd, b)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("a client of the registry cannot write: %w", err)
		}
		b = b[max(n, 0):]
	}
	return nil
}

// acknowledge answers what was pushed. It may be called from any goroutine.
func (p pushed) acknowledge(kind string) error {
	m := appendPayload(nil, kind, "", `{"requestId":"`+p.id+`","resultCode":200,"success":true}`)
	return p.of.write(appendFrame(nil, frameData, 0, p.of.stream, m))
}

// parsePush reads a payload, and of its JSON what a client needs.
func parsePush(raw []byte) (pushed, error) {
	var p pushed
	metadata, ok := field(raw, payloadMetadata)
	body, ok2 := field(raw, payloadBody)
	kind, ok3 := field(metadata, metadataType)
	body, ok4 := field(body, anyValue)
	if !ok || !ok2 || !ok3 || !ok4 {
		return p, errors.New("the server says what is no payload")
	}
	p.kind = string(kind)
	js := wire.Scan(body)
	for js.Object(); ; {
		name, more := js.Field()
		switch {
		case !more:
			return p, js.End()
		case string(name) == "requestId":
			p.id = js.Text()
		default:
			js.Skip()
		}
		if string(name) == "serviceInfo" {
			p.version = versionIn(body)
		}
	}
}

// versionIn is the first value of "version" in a JSON text, which has passed as one.
func versionIn(body []byte) string {
	const key = `"version":"`
	at := bytes.Index(body, []byte(key))
	if at < 0 {
		return ""
	}
	value := body[at+len(key):]
	return string(value[:max(0, bytes.IndexByte(value, '"'))])
}

// field is the value of a field that has bytes.
func field(b []byte, number protowire.Number) ([]byte, bool) {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 || kind != protowire.BytesType {
			return nil, false
		}
		value, length := protowire.ConsumeBytes(b[size:])
		if length < 0 {
			return nil, false
		}
		if n == number {
			return value, true
		}
		b = b[size+length:]
	}
	return nil, false
}
