package api

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/gateway/recorder"
)

// Defaults of Config.
const (
	DefaultMaxInFlight = 2048
	DefaultMaxStreams  = 128
	DefaultTimeout     = 60 * time.Second
	DefaultStreamIdle  = 60 * time.Second
)

// Config is what a Server depends on. The zero value of a limit means its default.
type Config struct {
	Auth Authenticator  // nil: every route that is not Public answers 401
	Log  zerolog.Logger // access lines at debug, failures of ours at error

	// BaseURL is scheme://host[:port] as clients reach us, for links. Empty:
	// taken from each request's Host header. Set it behind a proxy.
	BaseURL string

	MaxInFlight int            // requests under way; more are answered 503
	MaxStreams  int            // likewise for Stream routes, counted apart
	Pressure    func() float64 // at 1 and above new requests are answered 503; nil: never

	RatePerClient float64 // requests a second and client address; 0: no limit
	RateBurst     int     // 0: one second's worth

	Timeout    time.Duration // deadline of a request that is no Stream
	StreamIdle time.Duration // longest pause between two chunks of a Stream
}

// Server is the HTTP handler of all OpenStack dialects. Mount every dialect
// before the first request. The http.Server around it should have ReadTimeout
// and WriteTimeout a little above Timeout: they end clients that stall, and a
// Stream pushes them before it as long as it moves.
type Server struct {
	cfg      Config
	mounts   []*mount // longest prefix first
	clients  *clients // nil: no rate limit
	inFlight atomic.Int64
	streams  atomic.Int64
}

type mount struct {
	dialect Dialect
	mux     *http.ServeMux
}

// NewServer makes a server without dialects.
func NewServer(cfg Config) *Server {
	setDefault(&cfg.MaxInFlight, DefaultMaxInFlight)
	setDefault(&cfg.MaxStreams, DefaultMaxStreams)
	setDefault(&cfg.Timeout, DefaultTimeout)
	setDefault(&cfg.StreamIdle, DefaultStreamIdle)
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	s := &Server{cfg: cfg}
	if cfg.RatePerClient > 0 {
		s.clients = newClients(cfg.RatePerClient, cfg.RateBurst)
	}
	return s
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Mount adds a dialect. It panics when two of its routes collide, for that is
// a mistake of ours and known at the first start.
func (s *Server) Mount(d Dialect) {
	d.Prefix = strings.TrimRight(d.Prefix, "/")
	if d.MaxBody == 0 {
		d.MaxBody = DefaultMaxBody
	}
	if d.WriteError == nil {
		d.WriteError = WriteKeystoneError
	}
	m := &mount{dialect: d, mux: http.NewServeMux()}
	for _, route := range d.Routes {
		path := strings.TrimSuffix(d.Prefix+strings.TrimSuffix(route.Pattern, "{$}"), "/")
		if path == "" {
			path = "/{$}"
		}
		m.mux.Handle(route.Method+" "+path, s.handle(route))
	}
	m.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.(*exchange).unmatched() })
	s.mounts = append(s.mounts, m)
	slices.SortStableFunc(s.mounts, func(a, b *mount) int { return len(b.dialect.Prefix) - len(a.dialect.Prefix) })
}

// InFlight is the number of requests under way, streams included.
func (s *Server) InFlight() int64 { return s.inFlight.Load() + s.streams.Load() }

// Handler is the server as net/http knows it.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// find is the dialect that path belongs to; nil if there is none.
func (s *Server) find(path string) *mount {
	for _, m := range s.mounts {
		rest, ok := strings.CutPrefix(path, m.dialect.Prefix)
		if ok && (rest == "" || rest[0] == '/') {
			return m
		}
	}
	return nil
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	m := s.find(r.URL.Path)
	if m == nil {
		http.NotFound(w, r)
		return
	}
	x := &exchange{Writer: recorder.Writer{ResponseWriter: w}, mount: m, began: time.Now()}
	x.req = Request{Request: r, server: s, w: w}
	defer x.finish()
	x.identify()
	if !validHost(r.Host) {
		x.fail(errHost)
		return
	}
	trimSlash(r)
	if !clean(r.URL.EscapedPath()) {
		x.fail(ErrNoRoute)
		return
	}
	m.mux.ServeHTTP(x, r)
}

// trimSlash makes a trailing slash mean nothing, as the real services do.
func trimSlash(r *http.Request) {
	if n := len(r.URL.Path); n > 1 && r.URL.Path[n-1] == '/' {
		r.URL.Path = r.URL.Path[:n-1]
		r.URL.RawPath = strings.TrimSuffix(r.URL.RawPath, "/")
	}
}

// clean says whether net/http's mux would take path as it is, rather than
// answer with a redirection that no OpenStack client expects.
func clean(path string) bool {
	for i := 0; i+1 < len(path); i++ {
		if path[i] == '/' && (path[i+1] == '/' || dots(path[i+1:])) {
			return false
		}
	}
	return true
}

// dots says whether the first element of path is "." or "..".
func dots(path string) bool {
	element, _, _ := strings.Cut(path, "/")
	return element == "." || element == ".."
}
