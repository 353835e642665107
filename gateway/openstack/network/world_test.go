package network

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/openstack/api/apitest"
	"github.com/troupe-cloud/troupe/messages"
)

var rewrite = flag.Bool("update", false, "write the golden files anew")

// listener is an instance of project p1 that hears of its ports and tells the test.
type listener struct{ Ports []string }

func listenerKind(heard chan<- actors.Message) actors.Kind {
	return actors.Spec[listener]{Name: "instance", Volatile: true, Step: func(s listener, in actors.Input) (listener, []actors.Effect, error) {
		switch m := in.Message.(type) {
		case *messages.Activated:
		case *messages.GetInstance:
			return s, []actors.Effect{actors.Reply{Message: &messages.InstanceView{Id: in.ID, ProjectId: "p1"}}}, nil
		default:
			heard <- m
		}
		return s, nil, nil
	}}.Kind()
}

type world struct {
	t     *testing.T
	node  *cluster.Node
	url   string
	heard chan actors.Message
}

func newWorld(t *testing.T) *world {
	t.Helper()
	heard := make(chan actors.Message, 16)
	node, err := cluster.Start(t.Context(), cluster.Config{
		Name: "test", Store: mem.New(), Kinds: []actors.Kind{network.Spec(), listenerKind(heard)}, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	server := api.NewServer(api.Config{Auth: apitest.Everybody, Log: zerolog.Nop(), BaseURL: "http://cloud"})
	server.Mount(New(Config{Client: node.Client()}).Dialect())
	front := httptest.NewServer(server.Handler())
	t.Cleanup(front.Close)
	return &world{t, node, front.URL, heard}
}

// do sends one request as the owner of token.
func (w *world) do(token, method, path, body string) (status int, answer string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+Prefix+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// made creates something and answers its id.
func (w *world) made(token, collection, body string) string {
	w.t.Helper()
	status, answer := w.do(token, "POST", "/v2.0/"+collection, body)
	var m map[string]struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &m); status != 201 || err != nil {
		w.t.Fatalf("%s: %d %s", body, status, answer)
	}
	return m[strings.TrimSuffix(collection, "s")].ID
}

// flat makes the network of a new cloud.
func (w *world) flat() string {
	w.t.Helper()
	id, create, subnet := network.Flat(flatCIDR, "pa")
	for _, m := range []actors.Message{create, subnet} {
		if _, err := w.node.Client().Ask(w.t.Context(), network.Ref(id), m); err != nil {
			w.t.Fatal(err)
		}
	}
	return id
}

var (
	anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	anyID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

// golden holds got against a file; times are hidden, and ids made by chance are numbered.
func golden(t *testing.T, path, got string) {
	t.Helper()
	got = anyTime.ReplaceAllString(got, "<time>")
	numbers := map[string]string{}
	got = anyID.ReplaceAllStringFunc(got, func(id string) string {
		if numbers[id] == "" {
			numbers[id] = fmt.Sprintf("<id %d>", len(numbers)+1)
		}
		return numbers[id]
	})
	if *rewrite {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a, b := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("line %d: got %q, want %q (run with -update after looking)", i+1, a[i], b[i])
		}
	}
	if len(a) != len(b) {
		t.Fatalf("%d lines, want %d (run with -update after looking)", len(a), len(b))
	}
}

func indent(body string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(strings.TrimSpace(body)), "", " ") != nil {
		return body
	}
	return out.String()
}
