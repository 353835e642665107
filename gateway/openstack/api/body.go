package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/messages"
)

// MaxDepth is how deeply arrays and objects of a JSON body may be nested.
const MaxDepth = 32

// limitBody makes a body end where it must. A Stream has no end but may not
// pause for long.
func (x *exchange) limitBody(route Route) error {
	r := x.req.Request
	if route.Stream {
		x.req.Body = x.stream(r)
		return nil
	}
	limit := x.mount.dialect.MaxBody
	if r.ContentLength > limit {
		// The connection must not be used again: what the client goes on
		// sending would be read as the next request.
		x.Header().Set("Connection", "close")
		return ErrTooLarge
	}
	if r.ContentLength != 0 {
		x.req.Body = http.MaxBytesReader(x.ResponseWriter, r.Body, limit)
	}
	return nil
}

// streamBody pushes the read deadline of the connection before it.
type streamBody struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
}

func (x *exchange) stream(r *http.Request) io.ReadCloser {
	c := http.NewResponseController(x.ResponseWriter)
	if r.ContentLength == 0 {
		_ = c.SetReadDeadline(time.Time{}) // a long download must not end with the server's read time-out
		return r.Body
	}
	return &streamBody{r.Body, c, x.req.server.cfg.StreamIdle}
}

func (b *streamBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.idle)) // not every writer has deadlines; then the server's hold
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.control.SetReadDeadline(time.Time{}) // the work after the last byte may take longer
	}
	return n, err
}

// ReadJSON is the body of r as one valid JSON text within the limits, for
// those who check it against a schema. Errors wrap messages.Invalid.
func ReadJSON(r *Request) ([]byte, error) {
	size := r.ContentLength
	if size < 0 || size > DefaultMaxBody {
		size = 0
	}
	buf := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if _, err := buf.ReadFrom(r.Body); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, ErrTooLarge
		}
		return nil, fmt.Errorf("the request body ended early: %w", messages.Invalid)
	}
	return buf.Bytes(), checkJSON(buf.Bytes())
}

var errMalformed = Refuse(messages.Invalid, "Malformed request body")

// checkJSON accepts one JSON text in UTF-8, not nested too deeply.
func checkJSON(raw []byte) error {
	if !utf8.Valid(raw) || depth(raw) > MaxDepth || !json.Valid(raw) {
		return errMalformed
	}
	return nil
}

// depth counts how deeply raw is nested; whether brackets match is not its matter.
func depth(raw []byte) int {
	now, most, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '{' || c == '['):
			now++
			most = max(most, now)
		case !quoted && (c == '}' || c == ']'):
			now--
		}
	}
	return most
}

// DecodeJSON reads the body of r into v. Fields that v does not know are
// ignored. Errors wrap messages.Invalid.
func DecodeJSON(r *Request, v any) error { return decode(r, v, false) }

// DecodeStrict is DecodeJSON that refuses fields v does not know.
func DecodeStrict(r *Request, v any) error { return decode(r, v, true) }

func decode(r *Request, v any, strict bool) error {
	raw, err := ReadJSON(r)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if strict {
		d.DisallowUnknownFields()
	}
	err = d.Decode(v)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return Refuse(messages.Invalid, "Invalid input for field/attribute %s. A value of type %s is not of type '%s'.", wrong.Field, wrong.Value, jsonType(wrong.Type.Kind()))
	case strict && !errors.As(err, &wrong):
		return fmt.Errorf("%s: %w", strings.TrimPrefix(err.Error(), "json: "), messages.Invalid)
	}
	return errMalformed
}
