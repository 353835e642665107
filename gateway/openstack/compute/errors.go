package compute

import (
	"encoding/json"
	"errors"
	"html"
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// faults are the names that the compute API gives to its statuses; any other
// is a computeFault.
var faults = map[int]string{
	http.StatusBadRequest:            "badRequest",
	http.StatusUnauthorized:          "unauthorized",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "itemNotFound",
	http.StatusMethodNotAllowed:      "badMethod",
	http.StatusConflict:              "conflictingRequest",
	http.StatusRequestEntityTooLarge: "overLimit",
	http.StatusUnsupportedMediaType:  "badMediaType",
	http.StatusTooManyRequests:       "overLimit",
	http.StatusNotImplemented:        "notImplemented",
	http.StatusServiceUnavailable:    "serviceUnavailable",
}

type faultBody struct {
	Code       int    `json:"code"`
	Message    string `json:"message"`
	RetryAfter string `json:"retryAfter,omitempty"`
}

func writeError(w http.ResponseWriter, _ *api.Request, status int, err error) {
	if errors.Is(err, api.ErrNoRoute) {
		writeNoRoute(w)
		return
	}
	name := faults[status]
	if name == "" {
		name = "computeFault"
	}
	body := faultBody{Code: status, Message: messages.Sentence(err)}
	if !errors.As(err, new(inDialect)) {
		body.Message = spoken(body.Message)
	}
	if name == "overLimit" {
		body.RetryAfter = w.Header().Get("Retry-After")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)                         // sentences compare sizes
	_ = e.Encode(map[string]faultBody{name: body}) // the client is gone: nobody is left to tell
}

// writeNoRoute answers in HTML, as Nova does where no resource is addressed.
func writeNoRoute(w http.ResponseWriter) {
	const title = "404 Not Found"
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte("<html><head><title>" + title + "</title></head><body><h1>" + title + "</h1>" +
		html.EscapeString(messages.Sentence(api.ErrNoRoute)) + "</body></html>"))
}

// spoken makes one of our sentences look like one of Nova's: they begin with a
// capital and end with a full stop.
func spoken(s string) string {
	if s == "" {
		return s
	}
	if c := s[0]; 'a' <= c && c <= 'z' {
		s = string(c-'a'+'A') + s[1:]
		if last := s[len(s)-1]; last != '.' && last != '!' && last != '?' {
			s += "."
		}
	}
	return s
}

// inDialect is an error whose sentence is in the API's own words already.
type inDialect struct{ error }

func (e inDialect) Unwrap() error { return e.error }

func refuse(kind error, format string, args ...any) error {
	return inDialect{api.Refuse(kind, format, args...)}
}

func badRequest(format string, args ...any) error { return refuse(messages.Invalid, format, args...) }

func notFound(format string, args ...any) error { return refuse(messages.NotFound, format, args...) }

func conflict(format string, args ...any) error { return refuse(messages.Conflict, format, args...) }

func forbidden(format string, args ...any) error { return refuse(messages.Denied, format, args...) }

// unsupported is for what the API has and this cloud has not: 501.
func unsupported(format string, args ...any) error {
	return api.WithStatus(http.StatusNotImplemented, badRequest(format, args...))
}
