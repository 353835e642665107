package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// piece is how long the pieces of the tests are.
const piece = 16 << 10

// world is several nodes in one process, over loopback.
type world struct {
	t      *testing.T
	crowd  int // how many nodes there are going to be
	limits Limits
	nodes  map[string]*node
	pipes  sync.Map // address -> *bufconn.Listener, instead of sockets
	view   atomic.Pointer[view.View]

	mu     sync.Mutex
	wanted map[string]bool
	index  uint64
}

// node is one of them.
type node struct {
	*Images
	w      *world
	name   string
	dir    string
	server *grpc.Server
	member view.Member
	mu     sync.Mutex
	conns  map[string]*grpc.ClientConn
	calls  sync.Map // method -> *atomic.Int64
	before atomic.Pointer[func(method string) error]
	down   bool
}

// quick are limits by which nothing takes long.
func quick() Limits {
	return Limits{
		FreeBytes: -1, Pause: 2 * time.Millisecond, RepairDelay: time.Millisecond,
		UseTime: time.Nanosecond, HoldTime: time.Minute, StallTime: time.Minute,
	}
}

func newWorld(t *testing.T, n int, limits Limits) *world {
	t.Helper()
	w := &world{t: t, crowd: n, limits: limits, nodes: map[string]*node{}, wanted: map[string]bool{}}
	for i := range n {
		w.start(fmt.Sprintf("n%d", i), t.TempDir(), nil)
	}
	w.publish()
	t.Cleanup(func() {
		for _, n := range w.nodes {
			n.stop()
		}
	})
	return w
}

// start starts a node, which is no member yet.
func (w *world) start(name, dir string, shared *Shared) *node {
	w.t.Helper()
	local, err := blobs.Open(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	local.SmallestPiece(piece)
	n := &node{w: w, name: name, dir: dir, conns: map[string]*grpc.ClientConn{}}
	n.Images, err = Open(Config{
		Local: local, Self: name, View: w.view.Load, Conn: n.conn, Wanted: w.isWanted, Shared: shared,
		Authorize: func(context.Context) error { return nil }, Limits: w.limits, Log: zerolog.Nop(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	l, address := w.listen()
	n.server = grpc.NewServer(grpc.UnaryInterceptor(n.unary), grpc.StreamInterceptor(n.stream))
	n.Register(n.server)
	go n.server.Serve(l)
	w.index++
	n.member = view.Member{ID: fmt.Sprintf("%s/%d", name, w.index), Name: name, Address: address, Roles: view.AllRoles}
	w.nodes[name] = n
	return n
}

// maxSockets is how many nodes have sockets: of more, the connections between all
// of them would be more files than a process may open.
const maxSockets = 20

func (w *world) listen() (net.Listener, string) {
	if w.crowd > maxSockets {
		l := bufconn.Listen(256 << 10)
		address := fmt.Sprintf("pipe-%d", w.index)
		w.pipes.Store(address, l)
		return l, address
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	return l, l.Addr().String()
}

// count counts a call that a node takes, and lets a test spoil it.
func (n *node) count(full string) error {
	method := filepath.Base(full)
	c, _ := n.calls.LoadOrStore(method, &atomic.Int64{})
	c.(*atomic.Int64).Add(1)
	if before := n.before.Load(); before != nil {
		return (*before)(method)
	}
	return nil
}

func (n *node) called(method string) int64 {
	c, ok := n.calls.Load(method)
	if !ok {
		return 0
	}
	return c.(*atomic.Int64).Load()
}

func (n *node) spoil(f func(method string) error) { n.before.Store(&f) }

func (n *node) unary(ctx context.Context, in any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := n.count(info.FullMethod); err != nil {
		return nil, toStatus(err)
	}
	return handle(ctx, in)
}

func (n *node) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := n.count(info.FullMethod); err != nil {
		return toStatus(err)
	}
	return handle(srv, s)
}

func (n *node) conn(m view.Member) (*grpc.ClientConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, messages.Unavailable
	}
	if c := n.conns[m.ID]; c != nil {
		return c, nil
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if pipe, ok := n.w.pipes.Load(m.Address); ok {
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return pipe.(*bufconn.Listener).DialContext(ctx)
		}))
	}
	c, err := grpc.NewClient("passthrough:///"+m.Address, options...)
	if err == nil {
		n.conns[m.ID] = c
	}
	return c, err
}

// stop ends a node as a crash does for the others; its files stay.
func (n *node) stop() {
	if n.server == nil {
		return
	}
	n.mu.Lock()
	n.down = true
	conns := n.conns
	n.conns = nil
	n.mu.Unlock()
	n.server.Stop()
	for _, c := range conns {
		_ = c.Close()
	}
	n.Close()
	n.server = nil
}

// publish makes the nodes that run the members, and says so to all.
func (w *world) publish() {
	var members []view.Member
	for _, n := range w.nodes {
		if n.server != nil {
			members = append(members, n.member)
		}
	}
	w.index++
	w.view.Store(view.New(w.index, members))
	for _, n := range w.nodes {
		if n.server != nil {
			n.ViewChanged()
		}
	}
}

func (w *world) isWanted(_ context.Context, sha256 string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wanted[sha256], nil
}

func (w *world) want(sha256 string, yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted[sha256] = yes
}

// content is n bytes that nobody else has, and their name.
func content(n int) ([]byte, string) {
	b := make([]byte, n)
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.IntN(256))
	}
	rand.NewChaCha8(seed).Read(b)
	sum := sha256.Sum256(b)
	return b, hex.EncodeToString(sum[:])
}

// upload uploads at one node and announces it.
func (w *world) upload(at string, b []byte) string {
	w.t.Helper()
	st, err := w.nodes[at].Stage(w.t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		w.t.Fatal(err)
	}
	release, err := st.Keep(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.want(st.Info.SHA256, true)
	if err := release(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return st.Info.SHA256
}

// place puts a content on a node as if it had always been there.
func (w *world) place(at string, b []byte, mark bool) string {
	w.t.Helper()
	info, err := w.nodes[at].local.Put(w.t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		w.t.Fatal(err)
	}
	if mark {
		w.want(info.SHA256, true)
	}
	return info.SHA256
}

// holders are the names of the nodes that run and have a content.
func (w *world) holders(sha256 string) (names []string) {
	for name, n := range w.nodes {
		if _, ok := n.local.Has(sha256); ok && n.server != nil {
			names = append(names, name)
		}
	}
	return names
}

// until waits for what comes about by itself.
func (w *world) until(what string, f func() bool) {
	w.t.Helper()
	for !f() {
		select {
		case <-w.t.Context().Done():
			w.t.Fatalf("never: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// order is how nodes rank for a content: names, best first.
func (w *world) order(sha256 string) (names []string) {
	for _, m := range rank(w.view.Load().Members, func(view.Member) bool { return true }, sha256) {
		names = append(names, m.Name)
	}
	return names
}

// fetched checks that a node gets a content, and gets it right.
func (w *world) fetched(at, sha256 string, b []byte) {
	w.t.Helper()
	path, err := w.nodes[at].Path(w.t.Context(), sha256)
	if err != nil {
		w.t.Errorf("%s: %v", at, err)
		return
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b) {
		w.t.Errorf("%s got something else: %v", at, err)
	}
}

// clean fails if a node has half a content, or one that is not what its name says.
func (w *world) clean() {
	w.t.Helper()
	for name, n := range w.nodes {
		entries, err := os.ReadDir(n.dir)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range entries {
			if !validName(e.Name()) {
				continue
			}
			b, err := os.ReadFile(filepath.Join(n.dir, e.Name()))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			sum := sha256.Sum256(b)
			if err != nil || hex.EncodeToString(sum[:]) != e.Name() {
				w.t.Errorf("%s has a damaged %s: %v", name, e.Name(), err)
			}
		}
	}
}
