package h1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// request is one that is answered here.
type request struct {
	target, path, query, host string
	header                    http.Header
}

var headEnd = []byte("\r\n\r\n")

const method = "GET "

// begins says whether b may be the beginning of a request for here.
func begins(b []byte) bool {
	n := min(len(b), len(method))
	return len(b) < maxHead && string(b[:n]) == method[:n] && !bytes.Contains(b, headEnd)
}

// parse reads the request that b begins with, and says how long it is; 0: it is
// none for here, or not whole.
func (s *Server) parse(b []byte) (r request, n int) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return r, 0
	}
	head := string(b[:end+len("\r\n")])
	rest, ok := r.first(head)
	if !ok || !s.cfg.Paths[r.path] || !s.known(r.query) || !r.headers(rest) {
		return r, 0
	}
	return r, end + len(headEnd)
}

// first takes the request line.
func (r *request) first(head string) (rest string, ok bool) {
	line, rest, _ := strings.Cut(head, "\r\n")
	if line, ok = strings.CutPrefix(line, method); !ok {
		return "", false
	}
	if r.target, ok = strings.CutSuffix(line, " HTTP/1.1"); !ok || !only(r.target, &inTarget) {
		return "", false
	}
	var asked bool
	r.path, r.query, asked = strings.Cut(r.target, "?")
	return rest, asked == (r.query != "")
}

// known says whether a query has no other parameters than those that are for here.
func (s *Server) known(query string) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, _, _ := strings.Cut(pair, "=")
		if !s.cfg.Params[name] {
			return false
		}
	}
	return true
}

// headers takes all header fields; each ends with a line's end.
func (r *request) headers(rest string) bool {
	count := strings.Count(rest, "\r\n")
	if count > maxHeaders {
		return false
	}
	r.header = make(http.Header, count)
	values := make([]string, 0, count)
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || !only(name, &inName) {
			return false
		}
		value = strings.Trim(value, " \t")
		if !only(value, &inValue) {
			return false
		}
		key := textproto.CanonicalMIMEHeaderKey(name)
		switch r.judge(key, value) {
		case refused:
			return false
		case taken:
			continue
		}
		if was, twice := r.header[key]; twice {
			r.header[key] = append(was, value)
			continue
		}
		values = append(values, value)
		r.header[key] = values[len(values)-1 : len(values) : len(values)]
	}
	return r.host != ""
}

type verdict int

const (
	fine verdict = iota
	taken
	refused
)

// judge says what becomes of a header field. Those that say where the request ends,
// that it goes on, or what is to become of the connection, are not for here.
func (r *request) judge(key, value string) verdict {
	switch key {
	case "Host":
		if r.host != "" || value == "" || !only(value, &inHost) {
			return refused
		}
		r.host = value
		return taken
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return refused
		}
	case "Content-Length", "Transfer-Encoding", "Trailer", "Te", "Expect", "Upgrade", "Http2-Settings", "Keep-Alive",
		"Proxy-Connection", "Pragma": // net/http makes another header of the last one
		return refused
	}
	return fine
}

// set is a set of bytes.
type set [256]bool

func only(s string, in *set) bool {
	for i := range len(s) {
		if !in[s[i]] {
			return false
		}
	}
	return true
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func setOf(s string) (in set) {
	for i := range len(s) {
		in[s[i]] = true
	}
	return in
}

// visible are the bytes from ! to ~, but for some.
func visible(without string) (in set) {
	for b := '!'; b <= '~'; b++ {
		in[b] = !strings.ContainsRune(without, b)
	}
	return in
}

var (
	inTarget = visible("#\"<>\\^`{|}")
	inName   = setOf(alphanumeric + "!#$%&'*+-.^_`|~")
	inHost   = setOf(alphanumeric + "-._:[]")
	inValue  = func() set {
		in := visible("")
		in[' '], in['\t'] = true, true
		return in
	}()
)
