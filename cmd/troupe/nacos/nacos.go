// Package nacos owns a client of the HTTP API of Nacos, 1.x to 3.x, for the commands
// of operators: Troupe speaks it, and so does the Nacos that one comes from. It
// holds no state but a login, and does nothing that it was not asked for.
//
// Source: Nacos' open API guides of 1.x, 2.x and 3.x.
package nacos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Limits of what is asked and answered.
const (
	maxAnswer    = 64 << 20         // bytes of JSON: a content of 10 MiB, escaped
	maxError     = 64 << 10         // bytes of an error's body that are read
	loginTimeout = 30 * time.Second // of a login
	callTimeout  = 60 * time.Second // of everything but long polls and archives
	loginSpare   = time.Minute      // a token is renewed this long before it ends
)

// Version is the API that a server is asked in.
type Version int

// The versions that are spoken. V1 is understood by 1.x and 2.x, V3 by 3.x.
const (
	Unknown Version = 0
	V1      Version = 1
	V3      Version = 3
)

// Server says which server, and who asks.
type Server struct {
	URL                string // http://host:port[/nacos]
	Username, Password string // empty: nobody logs in
	Version            Version
	HTTP               *http.Client // nil: one of its own
}

// Client asks one server. Safe for concurrent use.
type Client struct {
	base   string // ends with the context path, without slash
	server Server
	http   *http.Client

	mu      sync.Mutex
	version Version
	token   string
	until   time.Time // the token's; zero: it does not end
}

// New makes a client; nothing is asked yet.
func New(c Server) (*Client, error) {
	if !strings.Contains(c.URL, "://") {
		c.URL = "http://" + c.URL
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of a server: it is like http://127.0.0.1:8848", c.URL)
	}
	if u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("the address of a server has no user and no query: %s", u.Redacted())
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/nacos"
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &Client{base: strings.TrimRight(u.String(), "/"), server: c, http: c.HTTP, version: c.Version}, nil
}

// Error is what a server answered instead of what was asked for.
type Error struct {
	Status  int    // of HTTP
	Code    int    // of a v2 or v3 result; else 0
	Message string // what it says
	Path    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s answers %d: %s", e.Path, e.Status, e.Message)
}

// IsNotFound says whether err is about something that is not there.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Code == codeNotFound || e.Code == codeServiceNotFound)
}

// IsConflict says whether err is about something that somebody else has changed.
func IsConflict(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusConflict || e.Code == codeConflict)
}

// Codes of results.
const (
	codeNotFound        = 20004
	codeConflict        = 20005
	codeServiceNotFound = 21008
)

// call is one request.
type call struct {
	method, path string
	params       url.Values
	header       http.Header
	body         io.Reader // instead of a form of params, which then stand in the query
	kind         string    // of body
	slow         bool      // no time limit but the context's
	open         bool      // needs no login
}

// do sends a request, logged in; the answer has a status below 300. Close its body.
func (c *Client) do(ctx context.Context, q call) (*http.Response, error) {
	for again := false; ; again = true {
		token := ""
		if !q.open && c.server.Username != "" {
			var err error
			if token, err = c.login(ctx, again); err != nil {
				return nil, err
			}
		}
		resp, err := c.send(ctx, q, token)
		if err != nil || resp.StatusCode < http.StatusMultipleChoices {
			return resp, err
		}
		err = refused(resp, q.path)
		if denied := resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusUnauthorized; !denied || again || token == "" || q.body != nil {
			return nil, err
		}
	}
}

func (c *Client) send(ctx context.Context, q call, token string) (*http.Response, error) {
	params := url.Values{}
	for k, v := range q.params {
		params[k] = v
	}
	if token != "" {
		params.Set("accessToken", token)
	}
	target, body, kind := c.base+q.path, q.body, q.kind
	if q.body == nil && (q.method == http.MethodPost || q.method == http.MethodPut) {
		body, kind = strings.NewReader(params.Encode()), "application/x-www-form-urlencoded"
	} else {
		target += "?" + params.Encode()
	}
	cancel := func() {}
	if !q.slow {
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, target, body)
	if err != nil {
		cancel()
		return nil, err
	}
	for k, v := range q.header {
		r.Header[k] = v
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("User-Agent", "troupe")
	resp, err := c.http.Do(r)
	if err != nil {
		cancel()
		return nil, plainly(err)
	}
	resp.Body = &limited{resp.Body, cancel}
	return resp, nil
}

// plainly takes the address out of a failure: a token may stand in it.
func plainly(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		at, _, _ := strings.Cut(u.URL, "?")
		u.URL = at
	}
	return err
}

// limited ends the time limit with the answer.
type limited struct {
	io.ReadCloser
	cancel func()
}

func (b *limited) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}
