package h1

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// answer is the ResponseWriter of a request. What is written goes into the buffer of
// the connection; the head is made when the length of the body is known and its
// first part, at the latest at the end.
type answer struct {
	conn   *conn
	now    time.Time
	header http.Header
	status int
	length int // that the handler has said; -1: none
	sent   int // of the body
	whole  []byte
	headed bool
	ends   bool // the connection, after this
}

// begin makes the answer of a connection ready for another request.
func (a *answer) begin(c *conn, now time.Time) {
	if a.header == nil {
		a.header = http.Header{}
	}
	clear(a.header)
	*a = answer{conn: c, now: now, header: a.header, length: -1}
}

// Header is http.ResponseWriter's.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader is http.ResponseWriter's.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < http.StatusOK { // what goes before an answer, nobody here sends
		return
	}
	a.status = status
	if text := a.header["Content-Length"]; len(text) == 1 {
		if n, err := strconv.Atoi(text[0]); err == nil && n >= 0 {
			a.length = n
		}
	}
}

// Write is io.Writer's.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	switch {
	case !bodied(a.status):
		return 0, http.ErrBodyNotAllowed
	case a.length < 0:
		a.whole = append(a.whole, p...)
		return len(p), nil
	case a.sent+len(p) > a.length:
		return 0, http.ErrContentLength
	}
	a.head(p)
	a.sent += len(p)
	return len(p), a.put(p)
}

// put sends a part of the body: at once if it is large.
func (a *answer) put(p []byte) error {
	c := a.conn
	if len(p) < directWrite {
		c.out = append(c.out, p...)
		return nil
	}
	err := c.flush(a.now)
	if err == nil {
		a.now = time.Now()
		err = c.write(a.now, p)
	}
	a.ends = a.ends || err != nil
	return err
}

// SetWriteDeadline and SetReadDeadline are http.ResponseController's. The request has
// been read, and the connection looks after its own time.
func (a *answer) SetWriteDeadline(time.Time) error { return nil }
func (a *answer) SetReadDeadline(time.Time) error  { return nil }

// bodied says whether an answer of that status has a body.
func bodied(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// head appends the status line and the header fields, in the order of net/http, if
// they are not there yet; first is a part of the body.
func (a *answer) head(first []byte) {
	if a.headed {
		return
	}
	a.headed = true
	c := a.conn
	out := append(c.out, "HTTP/1.1 "...)
	out = append(strconv.AppendInt(out, int64(a.status), 10), ' ')
	out = append(append(out, http.StatusText(a.status)...), "\r\n"...)
	fields := bytes.NewBuffer(out)
	_ = a.header.Write(fields) // a buffer takes everything
	out = fields.Bytes()
	if len(a.header["Date"]) == 0 {
		out = append(append(append(out, "Date: "...), c.server.today(a.now)...), "\r\n"...)
	}
	if a.length < 0 && bodied(a.status) {
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), int64(len(a.whole)), 10), "\r\n"...)
	}
	if len(a.header["Content-Type"]) == 0 && len(first) > 0 {
		out = append(append(append(out, "Content-Type: "...), http.DetectContentType(first)...), "\r\n"...)
	}
	if c.server.closing.Load() && len(a.header["Connection"]) == 0 {
		a.ends = true
		out = append(out, "Connection: close\r\n"...)
	}
	c.out = append(out, "\r\n"...)
}

// finish completes the answer; false: the connection is to end.
func (a *answer) finish() bool {
	a.WriteHeader(http.StatusOK)
	a.head(a.whole)
	if a.length < 0 {
		_ = a.put(a.whole)
		return !a.ends && !a.closes()
	}
	return !a.ends && a.sent == a.length && !a.closes()
}

// closes says whether the handler wants the connection to end.
func (a *answer) closes() bool {
	for _, v := range a.header["Connection"] {
		if v == "close" {
			return true
		}
	}
	return false
}
