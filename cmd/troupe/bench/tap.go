package bench

import (
	"errors"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	tapConns         = 4096 // kept, to Consul
	tapHeaderTimeout = 10 * time.Second
)

// tap passes requests on to Consul, and counts them, and the bytes that its
// clients send and get.
type tap struct {
	address         string // HOST:PORT where it listens
	requests, bytes atomic.Uint64

	server    *http.Server
	transport *http.Transport
	ended     chan error
}

func newTap(to string) (*tap, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	silent := log.New(io.Discard, "", 0) // that members leave in the middle of a question is no news
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})
	t := &tap{
		address: l.Addr().String(), ended: make(chan error, 1),
		transport: &http.Transport{MaxIdleConnsPerHost: tapConns, DisableCompression: true},
	}
	proxy.Transport, proxy.ErrorLog = t.transport, silent
	t.server = &http.Server{ReadHeaderTimeout: tapHeaderTimeout, ErrorLog: silent,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			t.requests.Add(1)
			// A server closes a request's body when its answer begins. A transport that then
			// looks whether there is more of it, though it had its end, takes that for an error
			// and breaks the answer off (golang.org/issue/40747). This reader remembers the end.
			r.Body = http.MaxBytesReader(w, r.Body, math.MaxInt64)
			proxy.ServeHTTP(w, r)
		})}
	go func() { t.ended <- t.server.Serve(tapped{l, &t.bytes}) }()
	return t, nil
}

func (t *tap) close() error {
	err := t.server.Close()
	if ended := <-t.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	t.transport.CloseIdleConnections()
	return err
}

// tapped is a listener whose connections count.
type tapped struct {
	net.Listener
	bytes *atomic.Uint64
}

// Accept is net.Listener's.
func (l tapped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return tappedConn{c, l.bytes}, err
}

type tappedConn struct {
	net.Conn
	bytes *atomic.Uint64
}

// Read is net.Conn's.
func (c tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(uint64(n))
	return n, err
}

// Write is net.Conn's.
func (c tappedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes.Add(uint64(n))
	return n, err
}
