package h2

import (
	"strings"

	"golang.org/x/net/http2/hpack"
)

// fields is what counts of the headers of a call.
type fields struct {
	path, encoding string
	grpc           bool // the content type is gRPC's
	post           bool
}

func (h *fields) take(f hpack.HeaderField) {
	switch f.Name {
	case ":path":
		h.path = f.Value
	case ":method":
		h.post = f.Value == "POST"
	case "content-type":
		h.grpc = strings.HasPrefix(f.Value, "application/grpc")
	case "grpc-encoding":
		h.encoding = f.Value
	}
}

// begin takes the headers of a new call, or their first part.
func (c *conn) begin(f head, payload []byte) error {
	block, err := unpad(f, payload)
	if err != nil || f.stream%2 == 0 {
		return errProtocol
	}
	end := f.flags&flagEndStream != 0
	if f.flags&flagEndHeaders != 0 {
		return c.open(f.stream, block, end)
	}
	c.block = append(c.block[:0], block...)
	c.blockID, c.blockEnd, c.blockOpen = f.stream, end, true
	return nil
}

// more takes a further part of headers.
func (c *conn) more(f head, payload []byte) error {
	if !c.blockOpen || len(c.block)+len(payload) > maxHeaderBlock {
		return errProtocol
	}
	c.block = append(c.block, payload...)
	if f.flags&flagEndHeaders == 0 {
		return nil
	}
	c.blockOpen = false
	block := c.block
	c.block = nil
	return c.open(f.stream, block, c.blockEnd)
}

// open begins a call; headers of one that is there already are its trailers.
func (c *conn) open(id uint32, block []byte, end bool) error {
	c.fields = fields{}
	if _, err := c.headers.Write(block); err != nil || c.headers.Close() != nil {
		return errProtocol
	}
	if id <= c.lastID {
		return c.trailers(id, end)
	}
	c.lastID = id
	c.mu.Lock()
	full := c.cfg.MaxCalls > 0 && (c.calls >= c.cfg.MaxCalls || len(c.streams) >= c.cfg.MaxCalls) || c.waiting > maxWaiting
	if full {
		c.out = appendReset(c.out, id, codeRefused)
		c.flush()
		return nil
	}
	kind := c.cfg.Route(c.fields.path)
	s := &stream{id: id, conn: c, kind: kind, window: c.initial, credit: streamWindow}
	if why, code := c.refusal(kind); why != "" {
		c.out = appendStatus(c.out, id, code, why)
		if !end {
			c.out = appendReset(c.out, id, codeNoError)
		}
		c.flush()
		return nil
	}
	c.streams[id] = s
	if kind == Stream {
		s.sender = &Sender{stream: s}
		c.out = appendResponse(c.out, id)
		s.answered = true
		c.flush()
	} else {
		c.mu.Unlock()
	}
	if end {
		return c.half(s)
	}
	return nil
}

// refusal is why a call is not taken; empty: it is.
func (c *conn) refusal(kind Kind) (why string, code int) {
	switch {
	case !c.fields.post || !c.fields.grpc:
		return "this is no call of gRPC", statusInvalid
	case kind == Absent:
		return "unknown method", statusUnimplemented
	case c.fields.encoding != "" && c.fields.encoding != "identity":
		return "compression is not offered", statusUnimplemented
	}
	return "", 0
}

func (c *conn) trailers(id uint32, end bool) error {
	c.mu.Lock()
	s := c.streams[id]
	c.mu.Unlock()
	if s == nil {
		return nil
	}
	if !end {
		return errProtocol
	}
	return c.half(s)
}

// The headers that we send never refer to earlier ones, so that they are the same
// bytes each time.
var (
	responseBlock = "\x88" + // :status 200
		"\x0f\x10" + "\x10application/grpc" // content-type
	trailerBlock = "\x00\x0bgrpc-status\x010"
)

func appendResponse(b []byte, id uint32) []byte {
	return append(appendHead(b, len(responseBlock), frameHeaders, flagEndHeaders, id), responseBlock...)
}

func appendTrailers(b []byte, id uint32) []byte {
	return append(appendHead(b, len(trailerBlock), frameHeaders, flagEndHeaders|flagEndStream, id), trailerBlock...)
}

// appendStatus is the whole answer of a call that failed.
func appendStatus(b []byte, id uint32, code int, why string) []byte {
	block := []byte(responseBlock)
	block = appendField(block, "grpc-status", decimal(code))
	block = appendField(block, "grpc-message", why)
	return append(appendHead(b, len(block), frameHeaders, flagEndHeaders|flagEndStream, id), block...)
}

// appendFailure ends a call that has been answered in part.
func appendFailure(b []byte, id uint32, code int, why string) []byte {
	block := appendField(nil, "grpc-status", decimal(code))
	block = appendField(block, "grpc-message", why)
	return append(appendHead(b, len(block), frameHeaders, flagEndHeaders|flagEndStream, id), block...)
}

func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return string([]byte{byte('0' + n/10), byte('0' + n%10)})
}

// appendField appends a header as it is; both texts are ours, and short.
func appendField(b []byte, name, value string) []byte {
	b = append(b, 0, byte(len(name)))
	b = append(b, name...)
	b = append(b, byte(len(value)))
	return append(b, value...)
}
