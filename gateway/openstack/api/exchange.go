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

// exchange is one request and its answer on their way through the middleware.
// It is the ResponseWriter that the mux hands to the route, so that the route
// finds it again without a look-up.
type exchange struct {
	recorder.Writer

	mount *mount
	req   Request
	began time.Time
}

// handle is everything between the mux and the route's handler, in order:
// admission, rate, authentication, role, microversion, body limit, deadline.
func (s *Server) handle(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		x.req.Request = r
		err := s.admit(&route)
		if err == nil {
			defer s.leave(&route)
			err = s.pace(&x.req)
		}
		if err == nil {
			err = x.pass(route)
		}
		if err != nil {
			x.fail(err)
		}
	})
}

// pass authenticates, checks, and lets the handler answer.
func (x *exchange) pass(route Route) error {
	ctx := cluster.WithRequest(x.req.Context(), x.req.ID)
	if !route.Stream {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, x.req.server.cfg.Timeout)
		defer cancel()
	}
	x.req.Request = x.req.WithContext(ctx)
	if err := x.authenticate(route); err != nil {
		return err
	}
	if err := allowed(route, x.req.Principal); err != nil {
		return err
	}
	if n := x.mount.dialect.Negotiate; n != nil {
		if err := n(&x.req, x.Header()); err != nil {
			return err
		}
	}
	if err := x.limitBody(route); err != nil {
		return err
	}
	resp, err := route.Handle(&x.req)
	if route.Stream {
		// However long it took: the answer has its own time to be written.
		_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(time.Now().Add(x.req.server.cfg.StreamIdle)) // not every writer has deadlines
	}
	if err != nil {
		return err
	}
	return x.answer(resp)
}

func (x *exchange) authenticate(route Route) error {
	token := x.req.Header.Get("X-Auth-Token")
	auth := x.req.server.cfg.Auth
	if token == "" || auth == nil {
		if route.Public {
			return nil
		}
		return errUnauthenticated
	}
	p, err := auth.Authenticate(x.req.Context(), token)
	switch {
	case err == nil:
		x.req.Principal = p
		return nil
	case route.Public:
		return nil // as if there were no token: the route needs none
	case errors.Is(err, messages.Denied), errors.Is(err, messages.NotFound), errors.Is(err, messages.Invalid):
		return errUnauthenticated
	}
	return err
}

// allowed checks what the route says about roles.
func allowed(route Route, p *Principal) error {
	if (route.Admin && !p.Admin()) || (route.Write && !p.CanWrite()) {
		return Refuse(messages.Denied, "Policy doesn't allow this action to be performed.")
	}
	return nil
}

// unmatched answers a path that no route has, or not with this method.
func (x *exchange) unmatched() {
	if err := x.req.server.pace(&x.req); err != nil {
		x.fail(err)
		return
	}
	if methods := recorder.Methods(x.mount.mux, x.req.Request); len(methods) > 0 {
		x.Header().Set("Allow", strings.Join(methods, ", "))
		x.fail(ErrMethod)
		return
	}
	x.fail(ErrNoRoute)
}

// finish is deferred around everything: it turns a panic into an answer and
// writes the access line.
func (x *exchange) finish() {
	log := &x.req.server.cfg.Log
	if p := recover(); p != nil {
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		log.Error().Str("request", x.req.ID).Str("dialect", x.mount.dialect.Name).Str("method", x.req.Method).
			Str("path", x.req.URL.Path).Interface("panic", p).Bytes("stack", debug.Stack()).Msg("handler panicked")
		if x.Status != 0 {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		x.write(http.StatusInternalServerError, internal(x.req.ID))
	}
	if e := log.Debug(); e.Enabled() {
		e = e.Str("request", x.req.ID).Str("global", x.req.GlobalID).Str("method", x.req.Method).
			Str("path", x.req.URL.Path).Int("status", x.Status).Dur("took", time.Since(x.began)).Str("client", x.req.RemoteAddr)
		if p := x.req.Principal; p != nil {
			e = e.Str("user", p.UserID).Str("project", p.ProjectID)
		}
		e.Msg("answered")
	}
}
