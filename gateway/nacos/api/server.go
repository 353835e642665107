package api

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/gateway/recorder"
)

// ServerConfig is what a Server depends on. The zero value of a limit means its default.
type ServerConfig struct {
	Auth Authenticator  // nil: whatever is not public is refused
	Log  zerolog.Logger // access lines at debug, audit lines at info, failures of ours at error

	MaxInFlight int            // requests under way
	MaxHanging  int            // long polls, counted apart
	MaxBodies   int64          // bytes of bodies in memory
	Pressure    func() float64 // at 1 and above new requests are answered 503; nil: never
	Timeout     time.Duration  // deadline of a request that does not hang

	// Allow says whether another request from remote (host:port) may be answered now;
	// others are answered 503. Nil: always.
	Allow func(remote string) bool
}

// Server is the HTTP handler of all parts of the dialect. Mount every part before
// the first request.
type Server struct {
	cfg      ServerConfig
	audits   zerolog.Logger // not sampled
	mux      *http.ServeMux
	inFlight atomic.Int64
	hanging  atomic.Int64
	bodies   atomic.Int64
	packing  chan struct{}
}

// NewServer makes a server without routes.
func NewServer(cfg ServerConfig) *Server {
	cfg.MaxInFlight = cmp.Or(cfg.MaxInFlight, DefaultMaxInFlight)
	cfg.MaxHanging = cmp.Or(cfg.MaxHanging, DefaultMaxHanging)
	cfg.MaxBodies = cmp.Or(cfg.MaxBodies, DefaultMaxBodies)
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	s := &Server{cfg: cfg, audits: cfg.Log.Sample(nil), mux: http.NewServeMux(), packing: make(chan struct{}, maxGzip)}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.(*exchange).unmatched() })
	return s
}

// Mount adds routes. It panics over two that collide or one that cannot be
// permitted, for that is a mistake of ours and known at the first start.
func (s *Server) Mount(routes ...[]Route) {
	for _, part := range routes {
		for _, r := range part {
			if r.Access.Action != "" && r.Access.Resource == nil || r.Handle == nil {
				panic(fmt.Sprintf("route %s %s says half of what it needs", r.Method, r.Pattern))
			}
			if r.MaxBody == 0 {
				r.MaxBody = DefaultMaxBody
				if r.Upload {
					r.MaxBody = MaxUpload
				}
			}
			s.mux.Handle(r.Method+" "+Prefix+r.Pattern, s.handle(&r))
		}
	}
}

// InFlight is the number of requests under way, long polls included.
func (s *Server) InFlight() int64 { return s.inFlight.Load() + s.hanging.Load() }

// Hanging is the number of long polls under way.
func (s *Server) Hanging() int64 { return s.hanging.Load() }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{Writer: recorder.Writer{ResponseWriter: w}, server: s, began: time.Now()}
	x.req = Request{Request: r, ID: newRequestID(), ClientIP: host(r.RemoteAddr), w: w}
	defer x.finish()
	// That of the answer before has passed perhaps; not every writer has deadlines.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	trimSlash(r)
	if !clean(r.URL.EscapedPath()) {
		x.notFound()
		return
	}
	s.mux.ServeHTTP(x, r)
}

// host is the address in host:port without the port.
func host(remote string) string {
	i := strings.LastIndexByte(remote, ':')
	if i < 0 {
		return remote
	}
	return strings.Trim(remote[:i], "[]")
}

// trimSlash makes a trailing slash mean nothing, as with Nacos.
func trimSlash(r *http.Request) {
	if n := len(r.URL.Path); n > 1 && r.URL.Path[n-1] == '/' {
		r.URL.Path = r.URL.Path[:n-1]
		r.URL.RawPath = strings.TrimSuffix(r.URL.RawPath, "/")
	}
}

// clean says whether net/http's mux would take path as it is, rather than answer
// with a redirection that clients do not follow.
func clean(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for element := range strings.SplitSeq(path[1:], "/") {
		if element == "." || element == ".." || element == "" && len(path) > 1 {
			return false
		}
	}
	return true
}
