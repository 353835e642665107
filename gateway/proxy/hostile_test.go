package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw sends bytes to the proxy, and returns the statuses of all it answers until it
// closes the connection.
func (w *world) raw(t *testing.T, text string, half bool) (statuses []int) {
	t.Helper()
	c, err := net.Dial("tcp", w.front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if half {
		_ = c.(*net.TCPConn).CloseWrite()
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	for in := bufio.NewReader(c); ; {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		statuses = append(statuses, resp.StatusCode)
	}
}

// TestSmuggling: what two readers could take for different requests is one request
// for all, or none.
func TestSmuggling(t *testing.T) {
	w, b := startHasty(t, loopback), backend(t)
	w.register(t, "web", nil, b.address())
	head := "POST " + web + "/first HTTP/1.1\r\nHost: h\r\nX-Troupe-Token: good\r\n"
	hidden := "GET " + web + "/hidden HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, c := range map[string]struct {
		text string
		most int // requests that the backend may see, of which none is hidden
		half bool
	}{
		"CL and TE":              {head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, 1, false},
		"TE and CL":              {head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" + strings.Repeat("x", 92) + "\r\n0\r\n\r\n", 1, false},
		"two lengths":            {head + "Content-Length: 0\r\nContent-Length: " + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden, 0, false},
		"two lengths in one":     {head + "Content-Length: 0, " + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden, 0, false},
		"a signed length":        {head + "Content-Length: +0\r\n\r\n" + hidden, 0, false},
		"a hex length":           {head + "Content-Length: 0x10\r\n\r\n" + hidden, 0, false},
		"a length with a tab":    {head + "Content-Length:\t0\r\n\r\n", 1, false},
		"space before the colon": {head + "Content-Length : 5\r\n\r\n", 0, false},
		"a folded header":        {head + "X-A: 1\r\n Transfer-Encoding: chunked\r\n\r\n", 1, false},
		"an unknown encoding":    {head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden, 0, false},
		"two encodings":          {head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + hidden, 0, false},
		"two encoding headers":   {head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden, 0, false},
		"encoding with a VT":     {head + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + hidden, 0, false},
		"a bare line feed":       {head + "X: a\nContent-Length: 3\r\n\r\nabc", 1, false},
		"a bare return":          {head + "X: a\rContent-Length: 3\r\n\r\nabc", 0, false},
		"a null in a header":     {head + "X: a\x00b\r\n\r\n", 0, false},
		"a bad chunk size":       {head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + hidden, 1, false},
		"an endless chunk size":  {head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n" + hidden, 1, false},
		"two hosts":              {strings.Replace(head, "Host: h\r\n", "Host: h\r\nHost: web.svc.local\r\n", 1) + "\r\n", 0, false},
		"HTTP/1.0 with chunks":   {strings.Replace(head, "HTTP/1.1", "HTTP/1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, 1, false},
		"a request in the path":  {"GET " + web + "/a%0d%0aX:%20y HTTP/1.1\r\nHost: h\r\nX-Troupe-Token: good\r\n\r\n", 1, false},
		"a body that is short":   {head + "Content-Length: 1000\r\n\r\nabc", 1, true},
		"h2c by upgrade":         {"GET " + web + " HTTP/1.1\r\nHost: h\r\nX-Troupe-Token: good\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := "/" + strings.ReplaceAll(name, " ", "-")
			statuses := w.raw(t, strings.ReplaceAll(c.text, "/first", path), c.half)
			b.mu.Lock()
			defer b.mu.Unlock()
			got := 0
			for _, r := range b.all {
				if r.URL.Path == path {
					got++
				}
				if strings.Contains(r.URL.Path, "hidden") || r.Header.Get("X-Forwarded-For") == "" {
					t.Errorf("the backend saw %s %s", r.Method, r.RequestURI)
				}
				if len(r.TransferEncoding) > 0 && r.Header.Get("Content-Length") != "" {
					t.Errorf("two lengths went on")
				}
			}
			if got > c.most {
				t.Errorf("the backend saw %d requests; answered %v", got, statuses)
			}
			if c.most == 0 && (len(statuses) == 0 || statuses[0] < 400) {
				t.Errorf("answered %v", statuses)
			}
		})
	}
	// And none of it is held against the backend.
	if resp, body := w.get(t, http.MethodGet, web+"/after", nil); resp.StatusCode != 200 || body != "GET /after" {
		t.Errorf("afterwards: %d %s", resp.StatusCode, body)
	}
}

// TestAbsolute: this is no open proxy.
func TestAbsolute(t *testing.T) {
	w, b, other := startHasty(t, loopback), backend(t), backend(t)
	w.register(t, "web", nil, b.address())
	for line, want := range map[string]int{
		"GET http://" + other.address() + "/x HTTP/1.1\r\nHost: web.svc.local": http.StatusTeapot, // the target goes before Host
		"GET http://web.svc.local/x HTTP/1.1\r\nHost: " + other.address():      200,
		"GET http://" + other.address() + web + "/x HTTP/1.1\r\nHost: h":       200, // the path is what counts
		"GET http://user:pw@web.svc.local/x HTTP/1.1\r\nHost: h":               200,
		"CONNECT web.svc.local:443 HTTP/1.1\r\nHost: web.svc.local":            405,
		"CONNECT " + other.address() + " HTTP/1.1\r\nHost: h":                  http.StatusTeapot,
		"OPTIONS * HTTP/1.1\r\nHost: web.svc.local":                            0,
		"GET file:///etc/passwd HTTP/1.1\r\nHost: h":                           http.StatusTeapot,
		"GET //" + other.address() + "/x HTTP/1.1\r\nHost: web.svc.local":      200,
	} {
		statuses := w.raw(t, line+"\r\nX-Troupe-Token: good\r\n\r\n", false)
		if want != 0 && (len(statuses) != 1 || statuses[0] != want) {
			t.Errorf("%q: %v, want %d", line, statuses, want)
		}
	}
	if _, n := other.last(); n != 0 {
		t.Errorf("what is not registered was asked %d times", n)
	}
}

// TestBrokenBackend: answers that lie are not passed on as whole ones.
func TestBrokenBackend(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		status int // 0: it is broken off
	}{
		"shorter than it says": {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", 0},
		"two lengths":          {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 502},
		"no HTTP":              {"SSH-2.0-x\r\n", 502},
		"nothing":              {"", 502},
		"broken chunks":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0},
		"too many headers":     {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 300<<10) + "\r\n\r\n", 502},
		"an unasked upgrade":   {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", 502},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c1, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = http.ReadRequest(bufio.NewReader(c1))
					_, _ = io.WriteString(c1, c.answer)
					_ = c1.Close()
				}
			}()
			w := start(t, loopback)
			w.register(t, "web", nil, l.Addr().String())
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.front.URL+web, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Troupe-Token", "good")
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil && c.status == 0 {
				return // broken off before anything was said
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if c.status == 0 && err == nil || c.status != 0 && resp.StatusCode != c.status {
				t.Errorf("%d, %v", resp.StatusCode, err)
			}
		})
	}
}
