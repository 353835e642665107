package consul_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/store/storetest"
	"github.com/troupe-cloud/troupe/messages"
)

// TestOpen: what is wrong with the settings is said at once, by its kind.
func TestOpen(t *testing.T) {
	addr := sharedConsul(t).Addr()
	good := consul.Config{Address: addr, Prefix: folder(), Cluster: "blue"}
	open(t, good)
	with := func(change func(*consul.Config)) consul.Config {
		c := good
		change(&c)
		return c
	}
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer page.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	_ = l.Close()
	nonsense := folder()
	put(t, nonsense+"/cluster", "{}")
	for name, tt := range map[string]struct {
		config consul.Config
		kind   error
		says   string
	}{
		"again":               {good, nil, ""},
		"whatever is there":   {with(func(c *consul.Config) { c.Cluster = "" }), nil, ""},
		"the second address":  {with(func(c *consul.Config) { c.Address = nobody + "," + addr }), nil, ""},
		"nothing is there":    {with(func(c *consul.Config) { c.Prefix, c.MustExist = folder(), true }), messages.NotFound, "no cluster"},
		"another cluster":     {with(func(c *consul.Config) { c.Cluster = "red" }), messages.Conflict, `"blue", not "red"`},
		"no port":             {with(func(c *consul.Config) { c.Address = "127.0.0.1" }), messages.Invalid, "HOST:PORT"},
		"no address":          {with(func(c *consul.Config) { c.Address = "" }), messages.Invalid, "HOST:PORT"},
		"nobody there":        {with(func(c *consul.Config) { c.Address = nobody }), messages.Unavailable, nobody},
		"a web server":        {with(func(c *consul.Config) { c.Address = strings.TrimPrefix(web.URL, "http://") }), messages.Invalid, "not Consul"},
		"a web page":          {with(func(c *consul.Config) { c.Address = strings.TrimPrefix(page.URL, "http://") }), messages.Invalid, "not Consul"},
		"a nonsensical mark":  {with(func(c *consul.Config) { c.Prefix = nonsense }), store.ErrCorrupt, nonsense + "/cluster"},
		"no such CA":          {with(func(c *consul.Config) { c.TLS.CA = "/nowhere" }), messages.Invalid, "/nowhere"},
		"TLS to a plain port": {with(func(c *consul.Config) { c.TLS.ServerName = "x" }), messages.Unavailable, "HTTP"},
		"an odd prefix":       {with(func(c *consul.Config) { c.Prefix = "a b" }), messages.Invalid, "prefix"},
		"an odd name":         {with(func(c *consul.Config) { c.Writer = "a/b" }), messages.Invalid, "name"},
	} {
		if err := tryOpen(t, tt.config, tt.kind, tt.says); !errors.Is(err, tt.kind) || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %v: %s", name, err, tt.kind, tt.says)
		}
	}
}

// tryOpen opens and closes. Where that is to fail it has little patience, and more if
// on a busy machine the time was over before the reason was known.
func tryOpen(t *testing.T, c consul.Config, want error, says string) (err error) {
	t.Helper()
	longest := 32 * time.Second
	if c.Patience = longest; want != nil {
		c.Patience = 500 * time.Millisecond
	}
	for ; c.Patience <= longest; c.Patience *= 2 {
		var s *consul.Store
		if s, err = consul.Open(t.Context(), c); err == nil {
			return s.Close()
		}
		if errors.Is(err, want) && strings.Contains(err.Error(), says) {
			break
		}
	}
	return err
}

func put(t *testing.T, key, value string) {
	t.Helper()
	if _, err := sharedConsul(t).Client(0).KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil); err != nil {
		t.Fatal(err)
	}
}

// TestSecured: with TLS and access control the store works with the right
// certificate and token, and says what is missing without.
func TestSecured(t *testing.T) {
	c := consultest.Start(t, consultest.Options{ACL: true, TLS: true, Dev: true})
	good := consul.Config{Address: c.Addr(), Token: c.Token(), TLS: consul.TLS{CA: c.CA(), Cert: c.Cert(), Key: c.Key()}}
	s := open(t, good)
	mustCommit(t, s, storetest.Put("a/b", "1"))
	if items := all(t, s, "a/", 0); len(items) != 1 {
		t.Errorf("%v", items)
	}
	if _, err := s.Watch(t.Context(), "a/", 0); err != nil {
		t.Error(err)
	}
	readOnly, _, err := c.Client(0).ACL().PolicyCreate(&api.ACLPolicy{Name: "reader", Rules: `key_prefix "troupe/" { policy = "read" }`}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := c.Client(0).ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: readOnly.ID}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	other := consultest.Options{TLS: true, Dev: true, Dir: filepath.Join(t.TempDir(), "other")}
	foreign := consultest.Start(t, other)
	for name, tt := range map[string]struct {
		change func(*consul.Config)
		kind   error
	}{
		"no token":        {func(c *consul.Config) { c.Token = "" }, messages.Denied},
		"an unknown one":  {func(c *consul.Config) { c.Token = "11111111-2222-3333-4444-555555555555" }, messages.Denied},
		"one that reads":  {func(c *consul.Config) { c.Token = token.SecretID }, messages.Denied},
		"no certificate":  {func(c *consul.Config) { c.TLS.Cert, c.TLS.Key = "", "" }, messages.Unavailable},
		"another CA":      {func(c *consul.Config) { c.TLS.CA = foreign.CA() }, messages.Unavailable},
		"another's name":  {func(c *consul.Config) { c.TLS.ServerName = "elsewhere" }, messages.Unavailable},
		"a foreign one":   {func(c *consul.Config) { c.TLS.Cert, c.TLS.Key = foreign.Cert(), foreign.Key() }, messages.Unavailable},
		"plain HTTP":      {func(c *consul.Config) { c.TLS = consul.TLS{} }, messages.Internal},
		"key of another":  {func(c *consul.Config) { c.TLS.Key = foreign.Key() }, messages.Invalid},
		"as it should be": {func(*consul.Config) {}, nil},
	} {
		config := good
		tt.change(&config)
		if err := tryOpen(t, config, tt.kind, ""); !errors.Is(err, tt.kind) {
			t.Errorf("%s: got %v, want %v", name, err, tt.kind)
		}
	}
}

// TestCorrupt: an entry changed by another hand is refused, named, and left alone.
func TestCorrupt(t *testing.T) {
	c := consul.Config{Address: sharedConsul(t).Addr(), Prefix: folder()}
	s := open(t, c)
	mustCommit(t, s, storetest.Put("good", "1"))
	stored, _, err := sharedConsul(t).Client(0).KV().Get(c.Prefix+"/d/good", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"empty": "", "text": "hello", "copied": string(stored.Value), "cut": string(stored.Value[:20])} {
		put(t, c.Prefix+"/d/x/"+name, value)
		_, err := s.Get(t.Context(), "x/"+name)
		if !errors.Is(err, store.ErrCorrupt) || !errors.Is(err, messages.Internal) || !strings.Contains(err.Error(), c.Prefix+"/d/x/"+name) {
			t.Errorf("%s: %v", name, err)
		}
		if pair, _, err := sharedConsul(t).Client(0).KV().Get(c.Prefix+"/d/x/"+name, nil); err != nil || string(pair.Value) != value {
			t.Errorf("%s was touched: %v, %v", name, pair, err)
		}
	}
	if _, _, err := s.List(t.Context(), "x/", "", 0); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("list: %v", err)
	}
	put(t, c.Prefix+"/d/odd!zz", string(stored.Value))
	if _, _, err := s.List(t.Context(), "odd", "", 0); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "odd!zz") {
		t.Errorf("odd name: %v", err)
	}
	if item := items1(t, s, "good"); string(item.Value) != "1" {
		t.Errorf("good is %q", item.Value)
	}
}
