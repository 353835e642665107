package h1

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patient is longer than any test waits.
const patient = time.Minute

var large = strings.Repeat("0123456789abcdef", directWrite/8)

// handler answers in the ways in which handlers do.
var handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	switch what := r.URL.Query().Get("do"); what {
	case "said":
		h.Set("Content-Type", "text/plain;charset=UTF-8")
		h.Set("Content-Length", "5")
		h["X-Two"] = []string{"b", "a\nb"}
		_, _ = io.WriteString(w, "hello")
	case "large":
		h.Set("Content-Length", "131072")
		_, _ = io.WriteString(w, large)
	case "some":
		_, _ = io.WriteString(w, large[:directWrite/2])
	case "refused":
		http.Error(w, "no", http.StatusForbidden)
	case "nothing":
	case "moved":
		w.WriteHeader(http.StatusNoContent)
	case "abort":
		panic(http.ErrAbortHandler)
	case "short":
		h.Set("Content-Length", "50")
		_, _ = io.WriteString(w, "hello")
	case "close":
		h.Set("Connection", "close")
		h.Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	default:
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI+" "+r.URL.Path+" "+r.Host+" "+r.Header.Get("X-Twice")+strings.Join(r.Header.Values("X-Twice"), ","))
	}
})

type world struct {
	server *http.Server
	fast   *Server // nil: only net/http
	at     string
	given  chan struct{} // gets a note for each connection that net/http has
}

func newWorld(t *testing.T, fast bool, h http.Handler) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{at: l.Addr().String(), given: make(chan struct{}, 100)}
	if fast {
		w.fast = Front(l, Config{
			Handler: h, Paths: map[string]bool{"/fast": true}, Params: map[string]bool{"do": true, "x": true},
			IdleTime: patient, HeadTime: patient, WriteTime: patient, Log: zerolog.Nop(),
		})
		l = w.fast
	}
	w.server = &http.Server{Handler: h, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			w.given <- struct{}{}
		}
	}}
	go func() { _ = w.server.Serve(l) }()
	t.Cleanup(func() {
		if fast {
			if err := w.fast.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
		_ = w.server.Close()
	})
	return w
}

var dates = regexp.MustCompile(`Date: [^\r]*`)

// talk sends pieces, each when as many answers have come as it says, and returns all
// that the server says until it or, after the last answer, the client ends it.
func (w *world) talk(t *testing.T, answers int, pieces ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", w.at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patient))
	for _, p := range pieces {
		if _, err := io.WriteString(c, p); err != nil {
			t.Fatal(err)
		}
	}
	var all strings.Builder
	r := bufio.NewReader(io.TeeReader(c, &all))
	for range answers {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			break
		}
		if _, err = io.Copy(io.Discard, resp.Body); err != nil || resp.Close {
			break
		}
	}
	return dates.ReplaceAllString(all.String(), "Date: <date>")
}

// TestSameBytes has the lane and net/http answer the same.
func TestSameBytes(t *testing.T) {
	plain, fast := newWorld(t, false, handler), newWorld(t, true, handler)
	one := func(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: h:80\r\n\r\n" }
	for name, tt := range map[string]struct {
		answers int
		pieces  []string
		given   bool // net/http has the connection at the end
	}{
		"what is asked":           {1, []string{one("/fast?x=1")}, false},
		"a length that is said":   {1, []string{one("/fast?do=said")}, false},
		"a large body":            {1, []string{one("/fast?do=large")}, false},
		"an error":                {1, []string{one("/fast?do=refused")}, false},
		"no body":                 {1, []string{one("/fast?do=nothing")}, false},
		"a status without a body": {1, []string{one("/fast?do=moved")}, false},
		"a handler that gives up": {1, []string{one("/fast?do=abort")}, false},
		"less than was said":      {1, []string{one("/fast?do=short")}, false},
		"the end of a connection": {2, []string{one("/fast?do=close"), one("/fast")}, false},
		"one after the other":     {3, []string{one("/fast?x=1") + one("/fast?do=said"), one("/fast")}, false},
		"much at once":            {4, []string{strings.Repeat(one("/fast?do=said")+one("/fast?do=large"), 2)}, false},
		"in pieces":               {2, []string{"G", "ET /fast?x=2 HTTP/1.1\r\nHo", "st: h\r\n", "\r\n" + one("/fast")[:9], one("/fast")[9:]}, false},
		"a header twice":          {1, []string{"GET /fast HTTP/1.1\r\nhOST: h\r\nx-twice:  a\t \r\nX-TWICE: b\r\nconnection: Keep-Alive\r\n\r\n"}, false},
		"another path":            {2, []string{one("/fast?x=1"), one("/slow")}, true},
		"another parameter":       {1, []string{one("/fast?y=1")}, true},
		"a path with an escape":   {1, []string{one("/f%61st")}, true},
		"a body":                  {2, []string{one("/fast") + "POST /fast HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n", "abc"}, true},
		"a body of a GET":         {2, []string{"GET /fast HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + one("/fast")}, true},
		"chunks":                  {2, []string{"GET /fast HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + one("/fast")}, true},
		"no host":                 {1, []string{"GET /fast HTTP/1.1\r\n\r\n"}, true},
		"two hosts":               {1, []string{"GET /fast HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"}, true},
		"an older version":        {1, []string{"GET /fast HTTP/1.0\r\nHost: a\r\n\r\n"}, true},
		"a folded header":         {1, []string{"GET /fast HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"}, true},
		"a space before a colon":  {1, []string{"GET /fast HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n"}, true},
		"the last of this client": {1, []string{"GET /fast HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}, true},
		"no HTTP":                 {1, []string{"hello\r\n\r\n"}, true},
		"a long head":             {1, []string{"GET /fast HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", maxHead) + "\r\n\r\n"}, true},
	} {
		want, got := plain.talk(t, tt.answers, tt.pieces...), fast.talk(t, tt.answers, tt.pieces...)
		if got != want {
			t.Errorf("%s: answered\n%.600q\nnet/http does\n%.600q", name, got, want)
		}
		given := false
		if tt.given {
			<-fast.given // or the test hangs
			given = true
		}
		select {
		case <-fast.given:
			given = true
		default:
		}
		if given != tt.given {
			t.Errorf("%s: net/http has the connection: %v", name, given)
		}
	}
}

// TestMuchAtOnce has more be asked than is kept of answers.
func TestMuchAtOnce(t *testing.T) {
	const many = 8
	w := newWorld(t, true, handler)
	got := w.talk(t, many, strings.Repeat("GET /fast?do=some HTTP/1.1\r\nHost: h\r\n\r\n", many))
	if n := strings.Count(got, large[:directWrite/2]); n != many || len(w.given) != 0 {
		t.Errorf("%d of %d answers, %d connections given away", n, many, len(w.given))
	}
}

// TestShutdown lets what is asked be answered, and nothing else.
func TestShutdown(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	w := newWorld(t, true, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			close(begun)
			<-goOn
		}
		_, _ = io.WriteString(w, "done")
	}))
	idle, err := net.Dial("tcp", w.at)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	_ = idle.SetDeadline(time.Now().Add(patient))
	_, _ = io.WriteString(idle, "GET /fast HTTP/1.1\r\nHost: h\r\n\r\n")
	fromIdle := bufio.NewReader(idle)
	if _, err := http.ReadResponse(fromIdle, nil); err != nil {
		t.Fatal(err)
	}
	said := make(chan string)
	go func() { said <- w.talk(t, 2, "GET /fast?x=1 HTTP/1.1\r\nHost: h\r\n\r\n") }()
	<-begun
	ended := make(chan error)
	go func() { ended <- w.fast.Shutdown(context.Background()) }()
	_, _ = io.Copy(io.Discard, fromIdle) // until it is closed
	close(goOn)
	if got := <-said; !strings.Contains(got, "Connection: close") || !strings.HasSuffix(got, "done") {
		t.Errorf("the request under way was answered %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := w.fast.Accept(); err == nil {
		t.Error("a connection after the end")
	}
}

// FuzzParse holds what is accepted here against net/http.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"GET /fast?x=1&do=%20 HTTP/1.1\r\nHost: h:80\r\n\r\nGET /fast",
		"GET /fast HTTP/1.1\r\nHost: [::1]:80\r\nconnection: keep-alive\r\naccept-encoding: gzip, deflate\r\nX:\r\n\r\n",
		"GET /fast HTTP/1.1\r\nHost: a\r\nx-y: \t a b \t\r\nX-Y: c\r\nCookie: a=b; c\r\n\r\n",
		"GET /fast HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n",
		"GET /fast?x=1;do=2 HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\nTE: trailers\r\n\r\n",
		"GET /fast? HTTP/1.1\nHost: a\n\n", "GET http://b/fast HTTP/1.1\r\nHost: a\r\n\r\n", "GET /fast HTTP/1.1\r\n Host: a\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	s := &Server{cfg: Config{Paths: map[string]bool{"/fast": true}, Params: map[string]bool{"do": true, "x": true}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n := s.parse(b)
		if n == 0 {
			return
		}
		from := bufio.NewReaderSize(strings.NewReader(string(b)), 16)
		want, err := http.ReadRequest(from)
		if err != nil {
			t.Fatalf("net/http does not take %q: %v", b[:n], err)
		}
		body, err := io.ReadAll(want.Body)
		rest, _ := io.ReadAll(from)
		if err != nil || len(body) != 0 || string(rest) != string(b[n:]) || want.ContentLength != 0 || len(want.TransferEncoding) != 0 || want.Close {
			t.Fatalf("%q ends elsewhere for net/http: body %q, rest %q", b, body, rest)
		}
		asked := &url.URL{Path: r.path, RawQuery: r.query}
		if want.Method != "GET" || *want.URL != *asked || want.Host != r.host || want.RequestURI != r.target {
			t.Fatalf("%q is %v of %s for net/http, %v of %s here", b, want.URL, want.Host, asked, r.host)
		}
		if len(want.Header) != len(r.header) {
			t.Fatalf("%q has %v for net/http, %v here", b, want.Header, r.header)
		}
		for k, v := range want.Header {
			if strings.Join(r.header[k], "\x00") != strings.Join(v, "\x00") {
				t.Fatalf("%q has %v for net/http, %v here", b, want.Header, r.header)
			}
		}
	})
}
