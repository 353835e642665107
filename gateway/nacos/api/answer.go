package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/messages/encode"
)

const (
	typeText = "text/plain;charset=UTF-8"
	typeJSON = "application/json;charset=UTF-8"

	// maxPooled keeps one large answer from staying in memory for good.
	maxPooled = 256 << 10
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// answer sends what the handler said.
func (x *exchange) answer(a Answer) error {
	h := x.Header()
	for k, v := range a.Header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	kind := a.Type
	if kind == "" {
		kind = typeText
	}
	switch {
	case a.Stream != nil:
		return x.stream(a.Status, kind, a.Stream)
	case a.Raw != nil:
		x.send(a.Status, kind, a.Raw)
		return nil
	}
	form := x.req.Route.Form
	if text, ok := a.Data.(string); ok && a.Bare == nil && form == Plain {
		x.send(a.Status, kind, []byte(text))
		return nil
	}
	if a.Bare == nil && a.Data == nil && form == Plain {
		x.send(a.Status, kind, nil)
		return nil
	}
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	if err := render(buf, form, a); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	x.send(a.Status, typeJSON, buf.Bytes())
	if buf.Cap() <= maxPooled {
		buffers.Put(buf)
	}
	return nil
}

// render writes a as JSON, wrapped as the form wants it.
func render(buf *bytes.Buffer, form Form, a Answer) error {
	body, before, after := a.Bare, "", ""
	if body == nil {
		body = a.Data
		switch form {
		case Rest:
			before, after = `{"code":200,"message":null,"data":`, `}`
		case Result:
			before, after = `{"code":0,"message":"success","data":`, `}`
		case Plain:
		}
	}
	buf.WriteString(before)
	switch v := body.(type) {
	case json.RawMessage:
		buf.Write(v)
	case encode.Appender:
		raw, err := v.AppendJSON(buf.AvailableBuffer())
		if err != nil {
			return err
		}
		buf.Write(raw)
	default:
		enc := json.NewEncoder(buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body); err != nil {
			return err
		}
		buf.Truncate(buf.Len() - 1) // the newline of Encode
	}
	buf.WriteString(after)
	return nil
}

// send sends a whole body, packed if the client asks and it is worth it.
func (x *exchange) send(status int, kind string, body []byte) {
	h := x.Header()
	h["Content-Type"] = []string{kind}
	_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(time.Now().Add(stallTimeout)) // not every writer has deadlines
	if len(body) >= gzipFrom && takesGzip(x.req.Header.Get("Accept-Encoding")) && x.pack(status, body) {
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.WriteHeader(status)
	_, _ = x.Write(body) // the client is gone: nobody is left to tell
}

// takesGzip says whether a client that accepts such encodings takes gzip. The
// qualities of others are not looked at: there is but this one.
func takesGzip(accepts string) bool {
	for one := range strings.SplitSeq(accepts, ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(one), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q := strings.TrimPrefix(strings.ReplaceAll(quality, " ", ""), "q=")
			return strings.Trim(q, "0.") != "" || q == ""
		}
	}
	return false
}

var packers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is one there is
	return w
}}

// pack sends body packed; false if too many are being packed already.
func (x *exchange) pack(status int, body []byte) bool {
	select {
	case x.server.packing <- struct{}{}:
		defer func() { <-x.server.packing }()
	default:
		return false
	}
	buf, w := buffers.Get().(*bytes.Buffer), packers.Get().(*gzip.Writer)
	buf.Reset()
	w.Reset(buf)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	h := x.Header()
	h["Content-Encoding"], h["Vary"] = []string{"gzip"}, []string{"Accept-Encoding"}
	h["Content-Length"] = []string{strconv.Itoa(buf.Len())}
	x.WriteHeader(status)
	_, _ = x.Write(buf.Bytes()) // as in send
	packers.Put(w)
	if buf.Cap() <= maxPooled {
		buffers.Put(buf)
	}
	return true
}

// stream copies; the client may take its time as long as it takes something.
func (x *exchange) stream(status int, kind string, from io.ReadCloser) error {
	defer from.Close()
	x.Header()["Content-Type"] = []string{kind}
	x.WriteHeader(status)
	if x.req.Method == http.MethodHead {
		return nil
	}
	control, chunk := http.NewResponseController(x.ResponseWriter), make([]byte, 64<<10)
	for {
		n, err := from.Read(chunk)
		_ = control.SetWriteDeadline(time.Now().Add(stallTimeout)) // not every writer has deadlines
		if _, failed := x.Write(chunk[:n]); failed != nil {
			panic(http.ErrAbortHandler)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			x.server.cfg.Log.Debug().Str("request", x.req.ID).Err(err).Msg("stream ended early")
			panic(http.ErrAbortHandler) // the client must see that it is not whole
		}
	}
}
