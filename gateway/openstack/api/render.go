package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/messages/encode"
)

// maxPooledBuffer keeps one large answer from staying in memory for good.
const maxPooledBuffer = 256 << 10

var (
	buffers     = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	rendered    = sync.Pool{New: func() any { return new([]byte) }}
	contentJSON = []string{"application/json"} // shared by responses and never written to
)

// answer sends what the handler said. A Body of type []byte or json.RawMessage
// is JSON already; an encode.Appender writes it itself, the same as json.Encoder
// would.
func (x *exchange) answer(resp Response) error {
	h := x.Header()
	for k, v := range resp.Header {
		h[k] = v
	}
	if resp.Status == 0 {
		resp.Status = http.StatusOK
	}
	switch body := resp.Body.(type) {
	case nil:
		if resp.Stream != nil {
			return x.copy(resp)
		}
		x.WriteHeader(resp.Status)
		return nil
	case []byte:
		x.send(resp.Status, body)
		return nil
	case json.RawMessage:
		x.send(resp.Status, body)
		return nil
	case encode.Appender:
		return x.append(resp.Status, body)
	}
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(resp.Body); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	x.send(resp.Status, buf.Bytes())
	if buf.Cap() <= maxPooledBuffer {
		buffers.Put(buf)
	}
	return nil
}

// append sends what writes itself.
func (x *exchange) append(status int, body encode.Appender) error {
	kept := rendered.Get().(*[]byte)
	b, err := body.AppendJSON((*kept)[:0])
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	b = append(b, '\n')
	x.send(status, b)
	if *kept = b; cap(b) <= maxPooledBuffer {
		rendered.Put(kept)
	}
	return nil
}

func (x *exchange) send(status int, body []byte) {
	h := x.Header()
	if h["Content-Type"] == nil {
		h["Content-Type"] = contentJSON[:1:1]
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.WriteHeader(status)
	_, _ = x.Write(body) // the client is gone: nobody is left to tell
}

// copy streams; the client may take its time as long as it takes something.
func (x *exchange) copy(resp Response) error {
	defer resp.Stream.Close()
	h := x.Header()
	if h["Content-Type"] == nil {
		h.Set("Content-Type", "application/octet-stream")
	}
	if resp.Length > 0 {
		h["Content-Length"] = []string{strconv.FormatInt(resp.Length, 10)}
	}
	x.WriteHeader(resp.Status)
	if x.req.Method == http.MethodHead {
		return nil
	}
	w := &streamWriter{x, http.NewResponseController(x.ResponseWriter), x.req.server.cfg.StreamIdle}
	if _, err := io.CopyBuffer(w, onlyReader{resp.Stream}, make([]byte, streamChunk)); err != nil {
		x.req.server.cfg.Log.Debug().Str("request", x.req.ID).Err(err).Msg("stream ended early")
		panic(http.ErrAbortHandler) // the client must see that it is not whole
	}
	return nil
}

const streamChunk = 256 << 10

// onlyReader hides WriterTo, which would bypass the deadlines.
type onlyReader struct{ io.Reader }

// streamWriter pushes the write deadline of the connection before it.
type streamWriter struct {
	w       io.Writer
	control *http.ResponseController
	idle    time.Duration
}

func (s *streamWriter) Write(p []byte) (int, error) {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.idle)) // not every writer has deadlines; then the server's hold
	return s.w.Write(p)
}
