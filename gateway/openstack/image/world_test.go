package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/openstack/api/apitest"
)

// world is a node, a blob store and the dialect in front of them.
type world struct {
	t    *testing.T
	dir  string
	node *cluster.Node
	url  string
}

func newWorld(t *testing.T, limit int64) *world {
	return newWorldIn(t, t.TempDir(), limit)
}

func newWorldIn(t *testing.T, dir string, limit int64) *world {
	t.Helper()
	store, err := blobs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var node *cluster.Node
	node, err = cluster.Start(t.Context(), cluster.Config{
		Name: "test", Store: mem.New(), Kinds: []actors.Kind{image.Spec()}, Log: zerolog.Nop(),
		Discard: func(ctx context.Context, sha256 string) error {
			return store.Discard(ctx, sha256, Wanted(node.Client()))
		},
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
	server.Mount(New(Config{Client: node.Client(), Blobs: store, MaxUploadBytes: limit}).Dialect())
	front := httptest.NewServer(server.Handler())
	t.Cleanup(front.Close)
	return &world{t: t, dir: dir, node: node, url: front.URL}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	return m
}

// do sends one request as the owner of token. headers are "Name: value".
func (w *world) do(token, method, path string, body io.Reader, headers ...string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+Prefix+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", token)
	r.Header.Set("Accept", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

func (w *world) json(token, method, path, body string) answer {
	return w.do(token, method, path, strings.NewReader(body), "Content-Type: application/json")
}

func (w *world) put(token, id string, content []byte) answer {
	return w.do(token, "PUT", "/v2/images/"+id+"/file", bytes.NewReader(content), "Content-Type: application/octet-stream")
}

// made creates an image of the given fields and answers its id.
func (w *world) made(token, fields string) string {
	w.t.Helper()
	a := w.json(token, "POST", "/v2/images", fields)
	if a.status != http.StatusCreated {
		w.t.Fatalf("create: %d %s", a.status, a.body)
	}
	return a.json(w.t)["id"].(string)
}

func (w *world) status(id string) string {
	return fmt.Sprint(w.do("admin", "GET", "/v2/images/"+id, nil).json(w.t)["status"])
}

// files lists what is in the blob store's directory.
func (w *world) files() []string {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// craftQCOW2 is a small honest qcow2, to be spoiled.
func craftQCOW2() []byte {
	const cluster = 1 << 16
	b := make([]byte, 4*cluster)
	copy(b, "QFI\xfb")
	be := binary.BigEndian
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], 16)
	be.PutUint64(b[24:], 1<<20)
	be.PutUint32(b[36:], 1)
	be.PutUint64(b[40:], 3*cluster)
	be.PutUint64(b[48:], cluster)
	be.PutUint32(b[56:], 1)
	be.PutUint32(b[96:], 4)
	be.PutUint32(b[100:], 104)
	return b
}

const qcow2Fields = `{"name":"q","disk_format":"qcow2","container_format":"bare"}`
const rawFields = `{"name":"r","disk_format":"raw","container_format":"bare"}`
