package rpc

import (
	"bytes"
	"net"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/gateway/nacos/begun"
)

// preface is what an HTTP/2 client says first. Over plain TCP nobody but gRPC
// clients does.
var preface = []byte("PRI * HTTP/2.0")

// waitingConns is how many connections of one kind wait to be accepted.
const waitingConns = 128

// Splitter gives the connections of one listener to two servers, by what their
// clients say first.
type Splitter struct {
	from  net.Listener
	grpc  *half
	http  *half
	once  sync.Once
	done  chan struct{}
	tasks sync.WaitGroup
}

// Split begins to accept from l. Close the splitter, or both its listeners, to end.
func Split(l net.Listener) *Splitter {
	s := &Splitter{from: l, done: make(chan struct{})}
	s.grpc = &half{all: s, conns: make(chan net.Conn, waitingConns)}
	s.http = &half{all: s, conns: make(chan net.Conn, waitingConns)}
	s.tasks.Go(s.run)
	return s
}

// GRPC is the listener of those who speak HTTP/2, HTTP that of all others.
func (s *Splitter) GRPC() net.Listener { return s.grpc }
func (s *Splitter) HTTP() net.Listener { return s.http }

// Close ends both listeners and closes the connections that nobody has accepted.
func (s *Splitter) Close() error {
	var err error
	s.once.Do(func() {
		close(s.done)
		err = s.from.Close()
	})
	return err
}

func (s *Splitter) run() {
	for {
		c, err := s.from.Accept()
		if err != nil {
			_ = s.Close()
			return
		}
		go s.sort(c)
	}
}

// sort finds out what a client speaks.
func (s *Splitter) sort(c net.Conn) {
	first := make([]byte, len(preface))
	_ = c.SetReadDeadline(time.Now().Add(headTime))
	n := 0
	for n < len(first) && bytes.HasPrefix(preface, first[:n]) {
		more, err := c.Read(first[n:])
		if n += more; err != nil {
			break
		}
	}
	if n == 0 {
		_ = c.Close() // it said nothing
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	to := s.http
	if bytes.Equal(first[:n], preface) {
		to = s.grpc
	}
	select {
	case to.conns <- begun.New(c, first[:n]):
	case <-s.done:
		_ = c.Close()
	}
}

// half is one of the two listeners.
type half struct {
	all   *Splitter
	conns chan net.Conn
}

// Accept is net.Listener's.
func (h *half) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.all.done:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's. It ends the other one too.
func (h *half) Close() error { return h.all.Close() }

// Addr is net.Listener's.
func (h *half) Addr() net.Addr { return h.all.from.Addr() }
