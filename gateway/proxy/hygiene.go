package proxy

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// websocket is the one protocol that a connection may be upgraded to. Any other
// would speak past the proxy with whatever listens there.
const websocket = "websocket"

// acceptable refuses requests that mean different things to different readers, and
// those that have been here.
func acceptable(r *http.Request, via string) error {
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return refuse(http.StatusMethodNotAllowed, "%s is not passed on", r.Method)
	case len(r.TransferEncoding) > 1 || len(r.TransferEncoding) == 1 && r.TransferEncoding[0] != "chunked":
		return refuse(http.StatusBadRequest, "this transfer encoding is not known")
	case slices.ContainsFunc(r.Header.Values("Via"), func(v string) bool { return strings.Contains(v, via) }):
		return refuse(http.StatusLoopDetected, "this request has been passed on by this proxy before")
	}
	for segment := range strings.SplitSeq(r.URL.EscapedPath(), "/") {
		plain, err := url.PathUnescape(segment)
		// A backslash is a slash to some, and what stands behind a semicolon nothing.
		plain, _, _ = strings.Cut(plain, ";")
		if err != nil || plain == "." || plain == ".." || strings.ContainsAny(plain, "\\\x00") || strings.Contains(plain, "/..") || strings.Contains(plain, "../") {
			return refuse(http.StatusBadRequest, "the path has elements that lead elsewhere")
		}
	}
	return nil
}

// newVia is a name for this proxy that no other has.
func newVia() string { return "troupe-" + strings.ToLower(rand.Text()[:12]) }

// ours are the headers about a client's side of the way, which only the last proxy
// knows; those of a client are dropped. With "-" for "_", which some take for the same.
func ours(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	switch name {
	case "forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "x-original-url", "x-rewrite-url", "x-http-method-override", "proxy":
		return true
	}
	return strings.HasPrefix(name, "x-forwarded-") || strings.HasPrefix(name, "x-troupe-")
}

// rewrite makes of a request the one that the endpoint gets. Hop-by-hop headers are
// gone already.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	x := r.In.Context().Value(wayKey{}).(*way)
	out := r.Out
	out.URL.Scheme, out.URL.Host, out.URL.User, out.URL.Fragment = "http", "service", nil, ""
	out.URL.Path, out.URL.RawPath = x.path()
	for name := range out.Header {
		if ours(name) {
			delete(out.Header, name)
		}
	}
	// The parameters are the service's to read, not ours to put in order.
	out.URL.RawQuery = r.In.URL.RawQuery
	x.visit.Strip(out.URL, out.Header)
	if up := out.Header.Get("Upgrade"); up != "" && (!strings.EqualFold(up, websocket) || len(r.In.Header.Values("Upgrade")) > 1 || hasBody(r.In)) {
		out.Header.Del("Upgrade")
		out.Header.Del("Connection")
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header.Set("User-Agent", "") // and not Go's
	}
	client, _, _ := net.SplitHostPort(r.In.RemoteAddr)
	out.Header.Set("X-Forwarded-For", client)
	out.Header.Set("X-Forwarded-Host", r.In.Host)
	out.Header.Set("X-Forwarded-Proto", x.scheme)
	out.Header.Set("Forwarded", fmt.Sprintf("for=%s;host=%s;proto=%s", node(client), quoted(r.In.Host), x.scheme))
	if x.prefix != "" {
		out.Header.Set("X-Forwarded-Prefix", x.prefix)
	}
	out.Header.Add("Via", fmt.Sprintf("%d.%d %s", r.In.ProtoMajor, r.In.ProtoMinor, p.via))
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// path is what the service sees, decoded and as it was written.
func (x *way) path() (path, raw string) {
	raw = x.rest
	if raw == "" {
		raw = "/"
	}
	path, err := url.PathUnescape(raw)
	if err != nil { // it was decoded before
		path = raw
	}
	return path, raw
}

// node is an address as RFC 7239 writes it.
func node(address string) string {
	if a, err := netip.ParseAddr(address); err == nil && a.Is6() {
		return `"[` + address + `]"`
	}
	return quoted(address)
}

// quoted is a value for Forwarded, in quotes; Go lets nothing into Host that would
// have to be escaped but these.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// modify cleans an answer, and has redirections lead through the proxy again.
func modify(r *http.Response) error {
	x := r.Request.Context().Value(wayKey{}).(*way)
	for name := range r.Header {
		if strings.HasPrefix(strings.ToLower(name), "x-troupe-") {
			delete(r.Header, name)
		}
	}
	if x.prefix == "" {
		return nil
	}
	r.Header.Del("Service-Worker-Allowed") // a worker of one service must not see the others'
	for _, name := range []string{"Location", "Content-Location"} {
		if at := r.Header.Get(name); strings.HasPrefix(at, "/") && !strings.HasPrefix(at, "//") {
			r.Header.Set(name, x.prefix+at)
		}
	}
	return nil
}

// bound limits the size of a request's body, and the time in which it comes. That
// http.MaxBytesReader remembers the end of the body is needed too: the server closes the
// body when the answer begins, and a transport that then looks once more whether there is
// more of it would take that for an error, and break off the answer (golang.org/issue/40747).
func bound(w http.ResponseWriter, r *http.Request) {
	if hasBody(r) {
		r.Body = &pacedBody{ReadCloser: http.MaxBytesReader(w, r.Body, MaxBody), control: http.NewResponseController(w)}
	}
}

// pacedBody is a body that has to go on coming.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *pacedBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(clientTime)) // not every connection has one
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.control.SetReadDeadline(time.Time{}) // or it would end the answer
	}
	return n, err
}

// paced is a client that has to go on reading.
type paced struct {
	http.ResponseWriter
	control *http.ResponseController
	until   time.Time
}

// Unwrap lets http.ResponseController reach the connection.
func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *paced) Write(b []byte) (int, error) {
	if now := time.Now(); p.until.Sub(now) < clientTime/2 {
		p.until = now.Add(clientTime)
		_ = p.control.SetWriteDeadline(p.until) // not every connection has one
	}
	return p.ResponseWriter.Write(b)
}

// buffers are those that answers are copied by.
type buffers struct{ pool sync.Pool }

// Get is httputil.BufferPool's.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, maxBuffer)
}

// Put is httputil.BufferPool's.
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
