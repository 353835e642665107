package peer_test

import (
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands between two nodes and can be a bad network.
type proxy struct {
	listener net.Listener
	to       string
	all      sync.WaitGroup

	mu     sync.Mutex
	change *sync.Cond
	pairs  map[net.Conn]net.Conn // dialled from -> dialled to
	stall  bool                  // nothing passes, nothing is lost
	lost   [2]bool               // forth, back: what is sent disappears
	delay  time.Duration         // of every piece
	closed bool
	passed int // bytes
}

func newProxy(t testing.TB, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, pairs: map[net.Conn]net.Conn{}}
	p.change = sync.NewCond(&p.mu)
	p.all.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		from, err := p.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = from.Close()
			continue
		}
		p.mu.Lock()
		p.pairs[from] = to
		p.mu.Unlock()
		p.all.Go(func() { p.pump(from, to, 0) })
		p.all.Go(func() { p.pump(to, from, 1) })
	}
}

func (p *proxy) pump(from, to net.Conn, way int) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		pass, delay := p.gate(way, n)
		if delay > 0 {
			<-time.After(delay)
		}
		if !pass {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) gate(way, n int) (pass bool, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stall && !p.closed {
		p.change.Wait()
	}
	p.passed += n
	return !p.lost[way], p.delay
}

func (p *proxy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.change.Broadcast()
}

// cut breaks every connection.
func (p *proxy) cut() {
	p.set(func() {
		for a, b := range p.pairs {
			_, _ = a.Close(), b.Close()
			delete(p.pairs, a)
		}
	})
}

// halfClose ends what is sent forth, and leaves the way back open.
func (p *proxy) halfClose() {
	p.set(func() {
		for _, b := range p.pairs {
			_ = b.(*net.TCPConn).CloseWrite()
		}
	})
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.set(func() { p.closed = true })
	p.cut()
	p.all.Wait()
}
