package eureka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

type handler = http.Handler

// request is one with what the frame found out about it.
type request struct {
	*http.Request
	id      string
	user    *api.User
	json    bool // the answer
	compact bool
	peer    bool // it says that another Eureka sent it; it may do no more for that
	body    []byte
}

// reply is an answer; the zero one is 200 without a body.
type reply struct {
	status int
	kind   string // Content-Type; "": that of the request's format
	rendered
}

// failure is an error with a status and a text of its own.
type failure struct {
	status int
	text   string
}

func (f *failure) Error() string { return f.text }

func fail(status int, text string) error { return &failure{status, text} }

var (
	errBusy = fmt.Errorf("there is too much to do just now, try again later: %w", messages.Unavailable)
	errFast = fmt.Errorf("too many requests from this address, try again later: %w", messages.Unavailable)
	// errUnknownLease is what clients answer by registering again.
	errUnknownLease = fail(http.StatusNotFound, "")
	errForbidden    = fail(http.StatusForbidden, "authorization failed!")
)

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	now := time.Now()
	_ = control.SetReadDeadline(now.Add(stallTime)) // not every writer has deadlines
	_ = control.SetWriteDeadline(now.Add(requestTime + stallTime))
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	if n := len(r.URL.Path); n > 1 && r.URL.Path[n-1] == '/' {
		r.URL.Path = r.URL.Path[:n-1]
		r.URL.RawPath = strings.TrimSuffix(r.URL.RawPath, "/")
	}
	if !clean(r.URL.EscapedPath()) {
		http.NotFound(w, r)
		return
	}
	a.handler.ServeHTTP(w, r)
}

// clean says whether net/http's mux takes a path as it is, rather than answer with a
// redirection.
func clean(path string) bool {
	for element := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if element == "" || element == "." || element == ".." {
			return false
		}
	}
	return true
}

// handle is everything around one route's handler.
func (a *API) handle(limit int64, h func(*request) (reply, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		x := &request{Request: r, id: fmt.Sprintf("eureka-%016x%016x", rand.Uint64(), rand.Uint64())}
		status := http.StatusInternalServerError
		defer func() {
			if p := recover(); p != nil {
				a.cfg.Log.Error().Str("request", x.id).Str("method", r.Method).Str("path", r.URL.Path).
					Interface("panic", p).Bytes("stack", debug.Stack()).Msg("handler panicked")
				http.Error(w, "internal error, request "+x.id, http.StatusInternalServerError)
			}
			a.log(x, status, began)
		}()
		got, err := a.pass(x, limit, h)
		if err != nil {
			got = a.refusal(w, x, err)
		}
		status = got.send(w, x)
	})
}

// pass admits, identifies and reads, and lets the handler answer.
func (a *API) pass(x *request, limit int64, h func(*request) (reply, error)) (reply, error) {
	if a.cfg.Allow != nil && !a.cfg.Allow(x.RemoteAddr) {
		return reply{}, errFast
	}
	defer a.inFlight.Add(-1)
	if a.inFlight.Add(1) > maxInFlight || a.cfg.Pressure != nil && a.cfg.Pressure() >= 1 {
		return reply{}, errBusy
	}
	if len(x.URL.RawQuery) > maxQueryBytes {
		return reply{}, fail(http.StatusRequestURITooLong, "the query is too long")
	}
	ctx, cancel := context.WithTimeout(cluster.WithRequest(x.Context(), x.id), requestTime)
	defer cancel()
	x.Request = x.WithContext(ctx)
	x.json = strings.Contains(strings.ToLower(x.Header.Get("Accept")), "json")
	x.compact = strings.EqualFold(x.Header.Get("X-Eureka-Accept"), "compact")
	x.peer = strings.EqualFold(x.Header.Get("X-Netflix-Discovery-Replication"), "true")
	var err error
	if x.user, err = a.cfg.Auth.Identify(ctx, credentials(x.Request)); err != nil {
		return reply{}, err
	}
	if limit > 0 {
		most := limit
		if n := x.ContentLength; n >= 0 {
			most = min(n, limit)
		}
		defer a.bodies.Add(-most)
		if a.bodies.Add(most) > maxBodyBytes {
			return reply{}, errBusy
		}
		if x.body, err = body(x.Request, limit); err != nil {
			return reply{}, err
		}
	}
	return h(x)
}

// credentials are those in the Authorization header: Basic, as clients send the user
// of a URL, or a token. No other header counts.
func credentials(r *http.Request) (c api.Credentials) {
	if name, password, ok := r.BasicAuth(); ok {
		c.Username, c.Password = name, password
	} else if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		c.Token = strings.TrimSpace(token)
	}
	return c
}

func body(r *http.Request, limit int64) ([]byte, error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, fail(http.StatusUnsupportedMediaType, "a body is sent as it is, not packed")
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case int64(len(raw)) > limit:
		return nil, fail(http.StatusRequestEntityTooLarge, "a body has at most "+strconv.FormatInt(limit, 10)+" bytes")
	case err != nil:
		return nil, fail(http.StatusBadRequest, "the body ended early")
	}
	return raw, nil
}

// refusal is the answer to an error. Only errors that are meant for callers are told.
func (a *API) refusal(w http.ResponseWriter, x *request, err error) reply {
	status, text := http.StatusInternalServerError, "internal error, request "+x.id
	var f *failure
	if errors.As(err, &f) {
		status, text = f.status, f.text
	} else {
		switch messages.KindOf(err) {
		case messages.ErrorKind_ERROR_KIND_INVALID, messages.ErrorKind_ERROR_KIND_CONFLICT:
			status, text = http.StatusBadRequest, messages.Sentence(err)
		case messages.ErrorKind_ERROR_KIND_NOT_FOUND:
			status, text = http.StatusNotFound, messages.Sentence(err)
		case messages.ErrorKind_ERROR_KIND_DENIED:
			status, text = http.StatusUnauthorized, api.Sentence(err, x.id)
			w.Header().Set("WWW-Authenticate", `Basic realm="eureka"`)
		case messages.ErrorKind_ERROR_KIND_EXHAUSTED, messages.ErrorKind_ERROR_KIND_UNAVAILABLE:
			status, text = http.StatusServiceUnavailable, messages.Sentence(err)
			w.Header().Set("Retry-After", "1")
		case messages.ErrorKind_ERROR_KIND_NONE, messages.ErrorKind_ERROR_KIND_INTERNAL:
			if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
				status, text = http.StatusServiceUnavailable, "there was no answer in time"
				break
			}
			a.cfg.Log.Error().Str("request", x.id).Str("method", x.Method).Str("path", x.URL.Path).Err(err).Msg("request failed")
		}
	}
	return reply{status: status, kind: typeText, rendered: rendered{body: []byte(text)}}
}

const (
	typeJSON = "application/json"
	typeXML  = "application/xml"
	typeText = "text/plain;charset=UTF-8"
)

// send writes the answer, packed where the client takes that.
func (g reply) send(w http.ResponseWriter, x *request) int {
	h := w.Header()
	status := g.status
	if status == 0 {
		status = http.StatusOK
	}
	if len(g.body) > 0 {
		kind := g.kind
		if kind == "" {
			kind = typeXML
			if x.json {
				kind = typeJSON
			}
		}
		h["Content-Type"] = []string{kind}
	}
	out := g.body
	if g.packed != nil && x.gzip() {
		out = g.packed
		h["Content-Encoding"] = []string{"gzip"}
	}
	h["Vary"] = []string{"Accept, Accept-Encoding, X-Eureka-Accept"}
	if status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(len(out))}
	}
	w.WriteHeader(status)
	if x.Method != http.MethodHead {
		_, _ = w.Write(out) // the client is gone: nobody is left to tell
	}
	return status
}

// gzip says whether the client takes packed answers.
func (x *request) gzip() bool {
	for one := range strings.SplitSeq(x.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(one), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q := strings.TrimPrefix(strings.ReplaceAll(quality, " ", ""), "q=")
			return q == "" || strings.Trim(q, "0.") != ""
		}
	}
	return false
}

// log writes the access line, or an audit line of what changes something.
func (a *API) log(x *request, status int, began time.Time) {
	user := ""
	if x.user != nil {
		user = x.user.Name
	}
	e, text := a.cfg.Log.Debug(), "answered"
	if x.audited() {
		e, text = a.cfg.Log.Info(), "audit"
	}
	e.Str("dialect", dialect).Str("user", user).Str("request", x.id).Str("method", x.Method).Str("path", x.URL.Path).
		Int("status", status).Dur("took", time.Since(began)).Str("client", x.RemoteAddr).Msg(text)
}

// audited is all that changes something but for renewals, which are too many.
func (x *request) audited() bool {
	reads := x.Method == http.MethodGet || x.Method == http.MethodHead
	return !reads && !strings.HasSuffix(x.Pattern, "/apps/{app}/{id}") || x.Method == http.MethodDelete
}
