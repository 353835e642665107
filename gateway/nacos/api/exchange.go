package api

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/recorder"
	"github.com/troupe-cloud/troupe/messages"
)

// exchange is one request and its answer on their way. It is the ResponseWriter
// that the mux hands to the route, so that the route finds it again.
type exchange struct {
	recorder.Writer

	server *Server
	req    Request
	began  time.Time
	held   int64 // bytes of the body that are counted
}

// handle is everything between the mux and the route's handler, in order:
// admission, parameters, who asks, whether he may, deadline.
func (s *Server) handle(route *Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		x.req.Request, x.req.Route = r, route
		leave, err := s.admit(route, r.RemoteAddr)
		if err == nil {
			defer leave()
			err = x.pass(route)
		}
		if err != nil {
			x.fail(err)
		}
	})
}

// pass reads, checks, and lets the handler answer.
func (x *exchange) pass(route *Route) error {
	defer x.release()
	if err := x.read(route); err != nil {
		return err
	}
	ctx := cluster.WithRequest(x.req.Context(), x.req.ID)
	if !route.Hangs {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, x.server.cfg.Timeout)
		defer cancel()
	}
	x.req.Request = x.req.WithContext(ctx)
	if err := x.identify(route); err != nil {
		return err
	}
	if err := permitted(route, &x.req); err != nil {
		return err
	}
	answer, err := route.Handle(&x.req)
	if err != nil {
		return err
	}
	return x.answer(answer)
}

// identify finds out who asks. Nothing but credentials counts: no header that says
// which software or which server it is.
func (x *exchange) identify(route *Route) error {
	auth, c := x.server.cfg.Auth, credentials(&x.req)
	if auth == nil {
		return nil
	}
	if route.Access.Public && c == (Credentials{}) {
		return nil
	}
	user, err := auth.Identify(x.req.Context(), c)
	if err == nil {
		x.req.User = user
		return nil
	}
	if route.Access.Public {
		return nil // as if there were no credentials: the route needs none
	}
	return err
}

// credentials are those of r: as parameters or as a header. On a public route a name
// and a password as parameters are what it is about: a login checks them itself.
func credentials(r *Request) Credentials {
	var c Credentials
	if !r.Route.Access.Public {
		c.Username, c.Password = r.Params.Get(paramUsername), r.Params.Get(paramPassword)
	}
	if name, password, ok := r.BasicAuth(); ok {
		c.Username, c.Password = name, password
	}
	if c.Token = r.Params.Get(paramToken); c.Token == "" {
		if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
			c.Token = strings.TrimSpace(token)
		}
	}
	if c.Token == "" {
		c.Token = r.Header.Get(paramToken)
	}
	return c
}

const (
	paramToken    = "accessToken"
	paramUsername = "username"
	paramPassword = "password"
)

// permitted checks what the route says about access.
func permitted(route *Route, r *Request) error {
	a, u := route.Access, r.User
	switch {
	case a.Public:
		return nil
	case u == nil:
		return errUnknown
	case a.Action != "" && !u.May(a.Action, a.Resource(r)), a.Action == "" && !a.Known && !u.Admin:
		return errForbidden
	}
	return nil
}

var (
	errUnknown   = AccessDenied.Errorf("user not found!")
	errForbidden = AccessDenied.Errorf("authorization failed!")
)

// unmatched answers a path that no route has, or not with this method.
func (x *exchange) unmatched() {
	path := x.req.URL.Path
	if methods := recorder.Methods(x.server.mux, x.req.Request); len(methods) > 0 {
		x.Header().Set("Allow", strings.Join(methods, ", "))
		if x.req.Method == http.MethodOptions {
			x.send(http.StatusOK, typeText, nil) // and no word that another origin may ask
			return
		}
		x.send(http.StatusMethodNotAllowed, typeJSON, springError(http.StatusMethodNotAllowed, "Request method '"+x.req.Method+"' not supported", path))
		return
	}
	if strings.HasPrefix(path, Prefix+"/v1/ns/") || strings.HasPrefix(path, Prefix+"/v2/ns/") {
		x.send(http.StatusNotImplemented, typeText, []byte("no such api:"+x.req.Method+":"+path))
		return
	}
	x.notFound()
}

func (x *exchange) notFound() {
	x.send(http.StatusNotFound, typeJSON, springError(http.StatusNotFound, "No message available", x.req.URL.Path))
}

// finish is deferred around everything: it turns a panic into an answer and
// writes the lines of the logs.
func (x *exchange) finish() {
	log := &x.server.cfg.Log
	if p := recover(); p != nil {
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		log.Error().Str("request", x.req.ID).Str("method", x.req.Method).Str("path", x.req.URL.Path).
			Interface("panic", p).Bytes("stack", debug.Stack()).Msg("handler panicked")
		if x.Status != 0 {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		body, kind := x.errorBody(ServerError, messages.Internal)
		x.send(http.StatusInternalServerError, kind, body)
	}
	x.audit()
	if e := log.Debug(); e.Enabled() {
		if x.req.User != nil {
			e = e.Str("user", x.req.User.Name)
		}
		e.Str("request", x.req.ID).Str("dialect", "nacos").Str("method", x.req.Method).Str("path", x.req.URL.Path).
			Int("status", x.Status).Dur("took", time.Since(x.began)).Str("client", x.req.ClientIP).Msg("answered")
	}
}
