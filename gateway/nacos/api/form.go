package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// read finds the parameters, in the query and in a form.
func (x *exchange) read(route *Route) error {
	r := x.req.Request
	x.req.Params = url.Values{}
	if len(r.URL.RawQuery) > MaxQueryBytes {
		return ParameterInvalid.Errorf("the query is longer than %d bytes", MaxQueryBytes)
	}
	count := 0
	if err := parseForm(r.URL.RawQuery, x.req.Params, &count); err != nil {
		return err
	}
	if r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength > route.MaxBody {
		x.Header().Set("Connection", "close") // what is still sent would be read as the next request
		return tooLarge(route)
	}
	control := http.NewResponseController(x.ResponseWriter)
	_ = control.SetReadDeadline(time.Now().Add(stallTimeout)) // not every writer has deadlines
	r.Body = http.MaxBytesReader(x.ResponseWriter, r.Body, route.MaxBody)
	if route.Upload || !isForm(r.Header.Get("Content-Type")) {
		return nil
	}
	body, err := x.body(route)
	if err != nil {
		return err
	}
	_ = control.SetReadDeadline(time.Time{}) // a long poll may take longer
	return parseForm(body, x.req.Params, &count)
}

// isForm says whether a body of that type holds parameters. No type is a form's.
func isForm(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind, _, _ = strings.Cut(contentType, ";")
	}
	return strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
}

// body is the whole body. It is counted as it comes, and not before: who says that
// he will send much and does not, must not keep the others out.
func (x *exchange) body(route *Route) (string, error) {
	var b strings.Builder
	if n := x.req.ContentLength; n > 0 && n <= bodyChunk {
		b.Grow(int(n))
	}
	for left := x.req.ContentLength; ; {
		chunk := int64(bodyChunk)
		if left >= 0 { // a buffer no larger than what comes
			chunk = min(chunk, left)
		}
		n, err := io.CopyN(&b, x.req.Body, chunk)
		if full := x.reserve(n); full != nil {
			return "", full
		}
		if e := (*http.MaxBytesError)(nil); errors.As(err, &e) {
			return "", tooLarge(route)
		}
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", ParameterInvalid.Errorf("the body ended early")
		}
		if left >= 0 {
			if left -= n; left == 0 {
				return b.String(), nil
			}
		}
	}
}

func tooLarge(route *Route) error {
	return Code{ParameterInvalid.Number, ParameterInvalid.Name, http.StatusRequestEntityTooLarge}.
		Errorf("the body is larger than %d bytes", route.MaxBody)
}

// parseForm adds the parameters in raw, as urlencoded forms and queries have them,
// to values. Unlike net/url it takes a semicolon for itself, as Nacos does.
func parseForm(raw string, values url.Values, count *int) error {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		if *count++; *count > MaxParams {
			return ParameterInvalid.Errorf("there are more than %d parameters", MaxParams)
		}
		key, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return ParameterInvalid.Errorf("a parameter is not URL-encoded")
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return ParameterInvalid.Errorf("a parameter is not UTF-8")
		}
		values[key] = append(values[key], value)
	}
	return nil
}
