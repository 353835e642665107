package api

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/messages"
)

// keyring knows one administrator and one reader of namespace ns.
type keyring struct{}

func (keyring) Identify(_ context.Context, c Credentials) (*User, error) {
	if c.Token != "" {
		c.Username, c.Password = "", ""
	}
	switch c.Token + c.Username + c.Password {
	case "root", "nacosnacos":
		return NewUser("nacos", true, nil), nil
	case "reader":
		return NewUser("reader", false, func(r Resource, a Action) bool { return r.Namespace == "ns" && a == Read }), nil
	}
	return nil, AccessDenied.Errorf("token invalid!")
}

func testServer(cfg ServerConfig, routes ...Route) *Server {
	s := NewServer(cfg)
	s.Mount(routes)
	return s
}

func echo(r *Request) (Answer, error) {
	v := r.Values()
	return Answer{Data: v.Need("x")}, v.Err()
}

func routes() []Route {
	public := Access{Public: true}
	return []Route{
		{Method: "GET", Pattern: "/v1/ns/plain", Access: public, Handle: echo},
		{Method: "PUT", Pattern: "/v1/ns/plain", Access: public, Handle: echo},
		{Method: "GET", Pattern: "/v1/console/rest", Form: Rest, Access: public, Handle: echo},
		{Method: "GET", Pattern: "/v3/result", Form: Result, Access: public, Handle: echo},
		{Method: "GET", Pattern: "/v3/read", Form: Result, Access: Access{Action: Read, Resource: ServiceResource}, Handle: echo},
		{Method: "POST", Pattern: "/v3/read", Form: Result, Access: Access{Action: Write, Resource: ServiceResource}, Handle: echo},
		{Method: "GET", Pattern: "/v1/admin", Handle: echo},
		{Method: "GET", Pattern: "/v1/known", Access: Access{Known: true}, Handle: echo},
		{Method: "GET", Pattern: "/v1/who", Access: public, Handle: func(r *Request) (Answer, error) {
			if r.User == nil {
				return Answer{Data: "nobody"}, nil
			}
			return Answer{Data: r.User.Name}, nil
		}},
		{Method: "GET", Pattern: "/v1/panics", Access: public, Handle: func(*Request) (Answer, error) { panic("no") }},
		{Method: "GET", Pattern: "/v1/fails", Access: public, Handle: func(*Request) (Answer, error) { return Answer{}, io.ErrUnexpectedEOF }},
		{Method: "GET", Pattern: "/v1/text", Access: public, Handle: func(*Request) (Answer, error) {
			return Answer{}, Text(404, "config data not exist")
		}},
		{Method: "POST", Pattern: "/v1/upload", Access: public, Upload: true, MaxBody: 8, Handle: func(r *Request) (Answer, error) {
			raw, err := io.ReadAll(r.Body)
			return Answer{Raw: raw}, err
		}},
	}
}

func ask(s *Server, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	s := testServer(ServerConfig{Auth: keyring{}, Log: zerolog.Nop()}, routes()...)
	for name, tt := range map[string]struct {
		method, target, form string
		status               int
		body                 string
	}{
		"a string of v1 is text":             {"GET", "/v1/ns/plain?x=1", "", 200, "1"},
		"the form of a PUT counts":           {"PUT", "/v1/ns/plain", "x=a%20b", 200, "a b"},
		"the query goes before the form":     {"PUT", "/v1/ns/plain?x=q", "x=f", 200, "q"},
		"a slash at the end means nothing":   {"GET", "/v1/ns/plain/?x=1", "", 200, "1"},
		"a semicolon stands for itself":      {"GET", "/v1/ns/plain?x=a;b", "", 200, "a;b"},
		"v1 misses a parameter":              {"GET", "/v1/ns/plain", "", 400, "caused: Param 'x' is required.;"},
		"v1's console wraps":                 {"GET", "/v1/console/rest?x=1", "", 200, `{"code":200,"message":null,"data":"1"}`},
		"and its errors":                     {"GET", "/v1/console/rest", "", 400, `{"code":400,"message":"Param 'x' is required.","data":null}`},
		"v3 wraps":                           {"GET", "/v3/result?x=1", "", 200, `{"code":0,"message":"success","data":"1"}`},
		"and its errors, with a code":        {"GET", "/v3/result", "", 400, `{"code":10000,"message":"parameter missing","data":"Param 'x' is required."}`},
		"a bad escape":                       {"GET", "/v3/result?x=%zz", "", 400, `{"code":20002,"message":"parameter validate error","data":"a parameter is not URL-encoded"}`},
		"not UTF-8":                          {"GET", "/v3/result?x=%ff", "", 400, `{"code":20002,"message":"parameter validate error","data":"a parameter is not UTF-8"}`},
		"an administrator may":               {"GET", "/v3/read?x=1&accessToken=root", "", 200, `{"code":0,"message":"success","data":"1"}`},
		"a name on a public route is data":   {"GET", "/v1/who?username=nacos&password=nacos", "", 200, "nobody"},
		"name and password with each call":   {"GET", "/v1/admin?x=1&username=nacos&password=nacos", "", 200, "1"},
		"a reader may read":                  {"GET", "/v3/read?x=1&namespaceId=ns&accessToken=reader", "", 200, `{"code":0,"message":"success","data":"1"}`},
		"but not elsewhere":                  {"GET", "/v3/read?x=1&accessToken=reader", "", 403, `{"code":10001,"message":"access denied","data":"authorization failed!"}`},
		"and not write":                      {"POST", "/v3/read?namespaceId=ns&accessToken=reader", "x=1", 403, `{"code":10001,"message":"access denied","data":"authorization failed!"}`},
		"nobody may not":                     {"GET", "/v3/read?x=1", "", 403, `{"code":10001,"message":"access denied","data":"token invalid!"}`},
		"whoever is known":                   {"GET", "/v1/known?x=1&accessToken=reader", "", 200, "1"},
		"a wrong token where none is needed": {"GET", "/v1/ns/plain?x=1&accessToken=no", "", 200, "1"},
		"unknown below v1/ns":                {"GET", "/v1/ns/x", "", 501, "no such api:GET:/nacos/v1/ns/x"},
		"a fixed text":                       {"GET", "/v1/text", "", 404, "config data not exist"},
		"too large an upload":                {"POST", "/v1/upload", "123456789", 413, "the body is larger than 8 bytes"},
		"an upload":                          {"POST", "/v1/upload", "1234", 200, "1234"},
	} {
		w := ask(s, tt.method, Prefix+tt.target, tt.form)
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := testServer(ServerConfig{Auth: keyring{}, Log: zerolog.Nop()}, routes()...)
	for name, tt := range map[string]struct {
		method, target string
		header         []string
		status         int
		has            string
	}{
		"v1 says no in the framework's words":     {"GET", "/v1/admin?x=1", nil, 403, `"error":"Forbidden","message":"token invalid!","path":"/nacos/v1/admin"`},
		"a user agent grants nothing":             {"GET", "/v1/admin?x=1", []string{"User-Agent", "Nacos-Server"}, 403, "Forbidden"},
		"nor does the identity of a server":       {"GET", "/v1/admin?x=1", []string{"serverIdentity", "security"}, 403, "Forbidden"},
		"a reader is no administrator":            {"GET", "/v1/admin?x=1", []string{"Authorization", "Bearer reader"}, 403, "authorization failed!"},
		"unknown":                                 {"GET", "/v1/other", nil, 404, `"status":404`},
		"another method":                          {"DELETE", "/v1/ns/plain", nil, 405, "DELETE"},
		"a path that climbs":                      {"GET", "/v1/x/../ns/plain?x=1", nil, 404, "Not Found"},
		"a panic is contained":                    {"GET", "/v1/panics", nil, 500, "internal error"},
		"an error of ours shows nothing":          {"GET", "/v1/fails", nil, 500, "caused: internal error, request nacos-"},
		"what another origin may do is not said":  {"OPTIONS", "/v1/ns/plain", []string{"Origin", "http://evil.test"}, 200, ""},
		"HEAD is GET without a body of its own":   {"HEAD", "/v1/ns/plain?x=1", nil, 200, ""},
		"the longest query there is":              {"GET", "/v1/ns/plain?x=" + strings.Repeat("a", MaxQueryBytes), nil, 400, "longer"},
		"more parameters than there may be":       {"GET", "/v1/ns/plain?" + strings.Repeat("x=1&", MaxParams+1), nil, 400, "more than"},
		"a token as a header is as good as one":   {"GET", "/v1/admin?x=1", []string{"accessToken", "root"}, 200, "1"},
		"a name and a password as a header":       {"GET", "/v1/admin?x=1", []string{"Authorization", "Basic bmFjb3M6bmFjb3M="}, 200, "1"},
		"Bearer in any case of letters":           {"GET", "/v1/admin?x=1", []string{"Authorization", "bearer root"}, 200, "1"},
		"the token goes before name and password": {"GET", "/v1/admin?x=1&accessToken=reader&username=nacos&password=nacos", nil, 403, "Forbidden"},
	} {
		w := ask(s, tt.method, Prefix+tt.target, "", tt.header...)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.has) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		for h := range w.Header() {
			if strings.HasPrefix(h, "Access-Control") {
				t.Errorf("%s: %s", name, h)
			}
		}
	}
}

func TestGzip(t *testing.T) {
	s := testServer(ServerConfig{Log: zerolog.Nop()}, routes()...)
	want := strings.Repeat("a", gzipFrom)
	w := ask(s, "GET", Prefix+"/v1/ns/plain?x="+want, "", "Accept-Encoding", "deflate, gzip")
	if w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > 100 {
		t.Fatalf("%v, %d bytes", w.Header(), w.Body.Len())
	}
	r, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if w := ask(s, "GET", Prefix+"/v1/ns/plain?x="+want, ""); w.Body.String() != want {
		t.Error("packed without being asked")
	}
}

func TestTakesGzip(t *testing.T) {
	for accepts, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "deflate, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false, "br": false, "x-gzip": false,
	} {
		if takesGzip(accepts) != want {
			t.Errorf("%q is not %v", accepts, want)
		}
	}
}

func TestAdmission(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	wait := func(*Request) (Answer, error) {
		entered <- struct{}{}
		<-leave
		return Answer{}, nil
	}
	public := Access{Public: true}
	s := testServer(ServerConfig{Log: zerolog.Nop(), MaxInFlight: 1, MaxHanging: 1, MaxBodies: 10},
		Route{Method: "GET", Pattern: "/work", Access: public, Handle: wait},
		Route{Method: "POST", Pattern: "/work", Access: public, Handle: echo},
		Route{Method: "GET", Pattern: "/hang", Access: public, Handle: wait, Hangs: true})
	if w := ask(s, "POST", Prefix+"/work", "x=1234567890"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("more bodies than fit: %d", w.Code)
	}
	for _, path := range []string{"/work", "/hang"} {
		done := make(chan struct{})
		go func() { ask(s, "GET", Prefix+path, ""); close(done) }()
		<-entered
		if w := ask(s, "GET", Prefix+path, ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d", path, w.Code)
		}
		leave <- struct{}{}
		<-done
	}
	if s.InFlight() != 0 || s.bodies.Load() != 0 {
		t.Errorf("%d requests and %d bytes were left behind", s.InFlight(), s.bodies.Load())
	}
}

func TestPace(t *testing.T) {
	left := 1
	s := testServer(ServerConfig{Log: zerolog.Nop(), Allow: func(string) bool { left--; return left >= 0 }}, routes()...)
	for i, want := range []int{200, 503} {
		if w := ask(s, "GET", Prefix+"/v1/ns/plain?x=1", ""); w.Code != want {
			t.Errorf("request %d: %d", i, w.Code)
		}
	}
}

func TestAudit(t *testing.T) {
	var log strings.Builder
	s := testServer(ServerConfig{Auth: keyring{}, Log: zerolog.New(&log).Level(zerolog.InfoLevel)}, routes()...)
	ask(s, "POST", Prefix+"/v3/read", "x=1&serviceName=a&content=hidden&accessToken=root&password=hidden")
	ask(s, "GET", Prefix+"/v3/read?x=1&accessToken=root", "")
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"user":"nacos"`) ||
		!strings.Contains(got, `"serviceName":"a"`) || strings.Contains(got, "hidden") || strings.Contains(got, "root") {
		t.Error(got)
	}
}

func TestCodes(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		number int
		status int
	}{
		"a kind":              {messages.NotFound, 20004, 404},
		"a code":              {WeightError.Errorf("w"), 21001, 400},
		"a code over a kind":  {InstanceNotFound.With(messages.Invalid), 21003, 404},
		"ours":                {io.EOF, 30000, 500},
		"nothing was decided": {context.DeadlineExceeded, 30000, 503},
		"no room":             {messages.Exhausted, 30000, 503},
	} {
		if c := CodeOf(tt.err); c.Number != tt.number || c.Status != tt.status {
			t.Errorf("%s: %v", name, c)
		}
	}
	if WeightError.With(nil) != nil {
		t.Error("no error became one")
	}
}

func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", "a=b", "a=b&a=c&&=", "%zz=1", "a=%ff", "a=b;c=d", "a+b=c%20d", "=&=&=", "x=%E4%BD%A0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, count := url.Values{}, 0
		err := parseForm(raw, got, &count)
		want, wantErr := url.ParseQuery(raw)
		if err == nil && wantErr == nil && got.Encode() != want.Encode() {
			t.Errorf("%q: %v, net/url says %v", raw, got, want)
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"", "public", "G@@n", "@@", "@x", "a b", "服务", "x#y$z", strings.Repeat("a", 600)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		key := SplitService(name, "")
		if CheckService(key.Name) == nil && CheckGroup(key.Group) == nil {
			if again := SplitService(key.Group+GroupSeparator+key.Name, "other"); again != key {
				t.Errorf("%q: %v is read again as %v", name, key, again)
			}
		}
		_, _, _ = CheckNamespace(name), CheckDataID(name), CheckCluster(name)
		_ = Short(name)
	})
}
