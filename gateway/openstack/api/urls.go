package api

import (
	"net/url"
	"strconv"

	"github.com/troupe-cloud/troupe/messages"
)

const maxHostBytes = 255

// validHost says whether a Host header may stand in a link: letters, digits,
// and what names, addresses and ports are made of. Empty is HTTP/1.0's.
func validHost(host string) bool {
	if len(host) > maxHostBytes {
		return false
	}
	for i := range len(host) {
		c := host[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '-', c == ':', c == '[', c == ']', c == '_':
		default:
			return false
		}
	}
	return true
}

// Base is scheme://host[:port] of this service as the client reaches it: the
// configured one, or that of the request.
func (r *Request) Base() string {
	if r.server != nil && r.server.cfg.BaseURL != "" {
		return r.server.cfg.BaseURL
	}
	host := r.Host
	if host == "" {
		host = "localhost"
	}
	if r.TLS != nil {
		return "https://" + host
	}
	return "http://" + host
}

// Page is which part of a list the client asks for.
type Page struct {
	Limit  int    // at most the maximum given to PageOf
	Marker string // the last id of the page before; empty: from the start
}

// PageOf reads limit and marker. No limit, limit=0 and more than the maximum
// mean the maximum. Errors wrap messages.Invalid.
func PageOf(q url.Values, maximum int) (Page, error) {
	p := Page{Limit: maximum, Marker: q.Get("marker")}
	s := q.Get("limit")
	if s == "" {
		return p, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return p, Refuse(messages.Invalid, "Invalid input for query parameters limit. Value: %s. It is not a non-negative integer", short(s))
	}
	if n > 0 && int(n) < maximum {
		p.Limit = int(n)
	}
	return p, nil
}

// NextLink is the address of the page after the one that ends with last: this
// request's with the marker replaced.
func NextLink(r *Request, last string) string {
	q := r.URL.Query()
	q.Set("marker", last)
	return r.Base() + r.URL.EscapedPath() + "?" + q.Encode()
}
