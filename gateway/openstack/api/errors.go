package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/troupe-cloud/troupe/messages"
)

// retryAfter is what a client is told to wait, in seconds, when nothing was
// decided: shorter than any back-off of the known clients, so they keep theirs.
const retryAfter = "1"

// Errors that the server itself answers with. A dialect's WriteError may
// branch on them with errors.Is.
var (
	ErrNoRoute  = WithStatus(http.StatusNotFound, Refuse(messages.NotFound, "The resource could not be found."))
	ErrMethod   = WithStatus(http.StatusMethodNotAllowed, Refuse(messages.Invalid, "The method is not allowed for this resource."))
	ErrTooLarge = WithStatus(http.StatusRequestEntityTooLarge, Refuse(messages.Invalid, "Request is too large."))
	errTooMany  = WithStatus(http.StatusTooManyRequests, Refuse(messages.Unavailable, "Too many requests from this client: try again later."))

	errBusy            = Refuse(messages.Unavailable, "The service has too much to do just now: try again later.")
	errUnauthenticated = WithStatus(http.StatusUnauthorized, Refuse(messages.Denied, "The request you have made requires authentication."))
	errHost            = Refuse(messages.Invalid, "The Host header is not a host name.")
)

// Refuse makes an error of a kind whose sentence is in the words of a dialect,
// which, unlike ours, begin with a capital and end with a full stop.
func Refuse(kind error, format string, args ...any) error {
	return &messages.Refusal{Kind: kind, Sentence: fmt.Sprintf(format, args...)}
}

// statusError is an error whose status does not follow from its kind.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// WithStatus gives err a status other than its kind's.
func WithStatus(status int, err error) error { return &statusError{status, err} }

// Unauthenticated is the refusal that is answered 401, with the header that
// tells where to authenticate.
func Unauthenticated() error { return errUnauthenticated }

// Status is the HTTP status of err: the one WithStatus gave it, or its kind's.
func Status(err error) int {
	if s := (*statusError)(nil); errors.As(err, &s) {
		return s.status
	}
	switch messages.KindOf(err) {
	case messages.ErrorKind_ERROR_KIND_NONE:
		return http.StatusOK
	case messages.ErrorKind_ERROR_KIND_INVALID:
		return http.StatusBadRequest
	case messages.ErrorKind_ERROR_KIND_NOT_FOUND:
		return http.StatusNotFound
	case messages.ErrorKind_ERROR_KIND_CONFLICT:
		return http.StatusConflict
	case messages.ErrorKind_ERROR_KIND_EXHAUSTED, messages.ErrorKind_ERROR_KIND_DENIED:
		return http.StatusForbidden
	case messages.ErrorKind_ERROR_KIND_UNAVAILABLE:
		return http.StatusServiceUnavailable
	case messages.ErrorKind_ERROR_KIND_INTERNAL:
	}
	return http.StatusInternalServerError
}

// internal is what a caller reads of an error that is ours.
func internal(request string) error {
	return fmt.Errorf("internal error, request %s: %w", request, messages.Internal)
}

// fail answers err, whatever it is, and logs it if it is ours.
func (x *exchange) fail(err error) {
	status := Status(err)
	if status == http.StatusInternalServerError {
		x.req.server.cfg.Log.Error().Str("request", x.req.ID).Str("dialect", x.mount.dialect.Name).
			Str("method", x.req.Method).Str("path", x.req.URL.Path).Err(err).Msg("request failed")
		err = internal(x.req.ID)
	}
	if x.Status != 0 {
		panic(http.ErrAbortHandler) // the answer has begun: cut it off rather than append to it
	}
	x.write(status, err)
}

// write sends an error in the form of the dialect.
func (x *exchange) write(status int, err error) {
	h := x.Header()
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		h.Set("Retry-After", retryAfter)
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Keystone uri="`+x.req.Base()+`/identity"`)
		WriteKeystoneError(x, &x.req, status, err)
		return
	}
	x.mount.dialect.WriteError(x, &x.req, status, err)
}

// WriteKeystoneError answers with {"error":{code,message,title}}, the form of
// identity, and of every 401 whichever service it comes from.
func WriteKeystoneError(w http.ResponseWriter, _ *Request, status int, err error) {
	WriteJSON(w, status, map[string]any{"error": map[string]any{
		"code": status, "title": http.StatusText(status), "message": messages.Sentence(err),
	}})
}

// WriteJSON sends body, for the use of WriteError functions. What cannot be
// encoded is a mistake of ours and panics.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Errorf("encode answer: %w", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the client is gone: nobody is left to tell
}
