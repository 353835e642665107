package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// text is an error whose body is fixed, whatever the form of the route.
type text struct {
	status int
	body   string
}

func (e *text) Error() string { return e.body }
func (e *text) Unwrap() error { return kindOf(e.status) }

// Text is an error that is answered with this status and this text, for bodies
// that clients compare.
func Text(status int, body string) error { return &text{status, body} }

// CodeOf is the code of err: its own, or that of its kind.
func CodeOf(err error) Code {
	if e := (*coded)(nil); errors.As(err, &e) {
		return e.code
	}
	switch messages.KindOf(err) {
	case messages.ErrorKind_ERROR_KIND_INVALID:
		return ParameterInvalid
	case messages.ErrorKind_ERROR_KIND_NOT_FOUND:
		return ResourceNotFound
	case messages.ErrorKind_ERROR_KIND_CONFLICT:
		return ResourceConflict
	case messages.ErrorKind_ERROR_KIND_DENIED:
		return AccessDenied
	case messages.ErrorKind_ERROR_KIND_EXHAUSTED, messages.ErrorKind_ERROR_KIND_UNAVAILABLE:
		return Busy
	case messages.ErrorKind_ERROR_KIND_NONE, messages.ErrorKind_ERROR_KIND_INTERNAL:
	}
	return ServerError
}

// Sentence is what a caller may read of err; of ours, only that there was one.
func Sentence(err error, request string) string {
	if e := (*coded)(nil); errors.As(err, &e) {
		return messages.Sentence(&messages.Refusal{Kind: messages.Invalid, Sentence: trimKind(e.err)})
	}
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INTERNAL {
		return "internal error, request " + request
	}
	return messages.Sentence(err)
}

// trimKind is the text of err without the word of its kind.
func trimKind(err error) string {
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INTERNAL && !errors.Is(err, messages.Internal) {
		return err.Error() // no kind was wrapped: it was written for the caller
	}
	return messages.Sentence(err)
}

// fail answers err in the form of the route, and logs it if it is ours.
func (x *exchange) fail(err error) {
	code := CodeOf(err)
	if e := (*text)(nil); errors.As(err, &e) {
		code.Status = e.status
	} else if e := (*coded)(nil); code == ServerError && !errors.As(err, &e) {
		x.server.cfg.Log.Error().Str("request", x.req.ID).Str("method", x.req.Method).
			Str("path", x.req.URL.Path).Err(err).Msg("request failed")
	}
	if x.Status != 0 {
		panic(http.ErrAbortHandler) // the answer has begun: cut it off rather than append to it
	}
	if code.Status == http.StatusServiceUnavailable {
		x.Header().Set("Retry-After", retryAfter)
	}
	body, kind := x.errorBody(code, err)
	x.send(code.Status, kind, body)
}

// retryAfter is what a client is told to wait, in seconds, when nothing was decided.
const retryAfter = "1"

func (x *exchange) errorBody(code Code, err error) (body []byte, kind string) {
	if e := (*text)(nil); errors.As(err, &e) {
		return []byte(e.body), typeText
	}
	sentence := Sentence(err, x.req.ID)
	form := Plain
	if x.req.Route != nil {
		form = x.req.Route.Form
	}
	switch {
	case form == Result:
		return mustJSON(result{code.Number, code.Name, sentence}), typeJSON
	case code.Status == http.StatusForbidden:
		return springError(http.StatusForbidden, sentence, x.req.URL.Path), typeJSON
	case form == Rest:
		return mustJSON(result{code.Status, sentence, nil}), typeJSON
	case code.Status == http.StatusBadRequest || code.Status == http.StatusInternalServerError:
		return []byte("caused: " + sentence + ";"), typeText
	}
	return []byte(sentence), typeText
}

// result is how v2 and v3, and v1's console, wrap what they say.
type result struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

// springError is the body of what the framework under Nacos answers by itself.
func springError(status int, message, path string) []byte {
	return mustJSON(struct {
		Timestamp string `json:"timestamp"`
		Status    int    `json:"status"`
		Error     string `json:"error"`
		Message   string `json:"message"`
		Path      string `json:"path"`
	}{time.Now().UTC().Format("2006-01-02T15:04:05.000-0700"), status, http.StatusText(status), message, path})
}

// mustJSON encodes what can always be encoded.
func mustJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
