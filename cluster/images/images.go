// Package images owns the contents of images in a cluster: which nodes keep one,
// how a node that lacks it gets it, when an upload counts as safe, and when a
// copy may go. Contents are named by their SHA-256. It does not know what an image
// is; whether one still refers to a content it asks. Files on this machine belong
// to package blobs.
//
// Nothing is written down about who has what. The keepers of a content are the
// first Copies nodes in an order that follows from its hash and the nodes' names
// (rendezvous hashing, as in package view); everybody computes the same ones, and
// each node answers from memory what it holds. Rows in a store would have to be
// written by every host at every fetch and every eviction, and would be wrong
// after each disk that was lost; a question is right, or is not answered.
package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// Config is what a node's images depend on. All but Holds, Shared and Limits is required.
type Config struct {
	Local *blobs.Store // of this node
	Self  string       // this node's name

	// View is the present members; nil while this node is none.
	View func() *view.View
	// Conn is the connection to a member.
	Conn func(view.Member) (*grpc.ClientConn, error)
	// Authorize refuses a call of the service unless it comes from a member.
	Authorize func(context.Context) error
	// Wanted says whether an image refers to a content, as the store has it now.
	Wanted blobs.Referenced

	// Holds says who may be a keeper; nil: every member that is not leaving.
	Holds func(view.Member) bool
	// Shared is the folder that keeps the contents; nil: the nodes keep them.
	Shared *Shared
	Limits Limits
	Log    zerolog.Logger
}

// Backend is where contents are kept for good. The nodes together are one, a
// shared folder is the other.
type Backend interface {
	// Keep makes a staged content durable, as often as promised, and has it held
	// until release is called.
	Keep(ctx context.Context, st *blobs.Staged) (release func(context.Context) error, err error)
	// Fetch brings a content into the local store. from, if not empty, is a node
	// that is known to have it. NotFound if nobody has it.
	Fetch(ctx context.Context, sha256, from string) error
	// Open reads a content without keeping it here.
	Open(ctx context.Context, sha256 string) (blobs.Content, error)
	// Discard removes what is kept elsewhere than in the local store, unless wanted.
	Discard(ctx context.Context, sha256 string, wanted blobs.Referenced) error
	// Expendable are those of the contents that are kept well without this node.
	Expendable(ctx context.Context, sha256 []string) []string
	// Bound says whether this node's copy is one of those that are promised. It
	// does not ask anybody.
	Bound(sha256 string) bool
	// Copies is how many durable copies there are, and how many there should be.
	Copies(ctx context.Context, sha256 string) (have, want int, err error)
	// Repair makes good what is kept too few times: of these contents, or of all
	// that are here and may not be in order any more (nil).
	Repair(ctx context.Context, sha256 []string) error
	// Sweep removes what no image refers to and no node answers for.
	Sweep(ctx context.Context, wanted blobs.Referenced) error
	// Name is told to other nodes.
	Name() string
}

// Images are the contents of a cluster as one node has them. Safe for concurrent
// use. It is a drivers.Images.
type Images struct {
	cfg     Config
	limits  Limits
	local   *blobs.Store
	backend Backend
	log     zerolog.Logger

	ctx      context.Context // of what goes on in the background
	cancel   context.CancelFunc
	work     sync.WaitGroup
	stopping sync.RWMutex // keeps work from beginning after Close

	fetches  chan struct{} // slots
	summing  singleflight.Group
	checks   chan struct{} // one content is read to be checked at a time
	serving  atomic.Int64
	changed  chan struct{} // the view is another
	pushed   chan string   // contents that were kept where their keepers are not
	seekers  seekers
	holds    holds
	gone     graves
	counters counters

	mu      sync.Mutex
	doubted map[string]bool // contents that are to be read, or are being read
	flights map[string]*flight
	fetched map[string]time.Time // of a part: when a fetch of it last ended
}

// Open begins to take care of the contents. Close ends it.
func Open(cfg Config) (*Images, error) {
	if cfg.Local == nil || cfg.Self == "" || cfg.View == nil || cfg.Conn == nil || cfg.Authorize == nil || cfg.Wanted == nil {
		return nil, fmt.Errorf("images need a store, a name, a view, connections, an authority and somebody to ask: %w", messages.Invalid)
	}
	limits, err := cfg.Limits.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Holds == nil {
		cfg.Holds = func(m view.Member) bool { return !m.Leaving }
	}
	i := &Images{
		cfg: cfg, limits: limits, local: cfg.Local, log: cfg.Log,
		fetches: make(chan struct{}, limits.MaxFetches), checks: make(chan struct{}, 1),
		changed: make(chan struct{}, 1), pushed: make(chan string, maxPushed),
		doubted: map[string]bool{}, flights: map[string]*flight{}, fetched: map[string]time.Time{},
	}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	if i.backend = (&peers{Images: i, inOrder: map[string]string{}}); cfg.Shared != nil {
		i.backend = cfg.Shared.backend(i)
	}
	i.holdRecent()
	i.work.Go(i.maintain)
	i.work.Go(i.mend)
	return i, nil
}

// Close ends what goes on in the background, and waits for it. The local store
// stays as it is: what was under way goes on after the next start.
func (i *Images) Close() {
	i.stopping.Lock()
	i.cancel()
	i.stopping.Unlock()
	i.work.Wait()
	i.holds.end()
}

// background runs f; false if the node stops.
func (i *Images) background(f func(context.Context)) bool {
	i.stopping.RLock()
	defer i.stopping.RUnlock()
	if i.ctx.Err() != nil {
		return false
	}
	i.work.Go(func() { f(i.ctx) })
	return true
}

// ViewChanged has to be called when the members are others than before.
func (i *Images) ViewChanged() {
	select {
	case i.changed <- struct{}{}:
	default:
	}
}

// Path is the local file with a content, fetched if need be. NotFound if nobody
// has it; Exhausted if there is no room; Unavailable if those who may have it do
// not answer.
func (i *Images) Path(ctx context.Context, sha256 string) (string, error) {
	path, err := i.local.Path(ctx, sha256)
	if !errors.Is(err, messages.NotFound) || !validName(sha256) {
		return path, err
	}
	if err := i.bring(ctx, sha256, ""); err != nil {
		return "", err
	}
	return i.local.Path(ctx, sha256)
}

// Open gives a content to read. One that is not here is read from where it is,
// piece by piece and each piece checked, as long as ctx lasts.
func (i *Images) Open(ctx context.Context, sha256 string) (blobs.Content, error) {
	c, err := i.local.Open(ctx, sha256)
	if !errors.Is(err, messages.NotFound) || !validName(sha256) {
		return c, err
	}
	return i.backend.Open(ctx, sha256)
}

// Stage takes an upload in. Its Keep returns once the content is durable as often
// as the cluster promises.
func (i *Images) Stage(ctx context.Context, r io.Reader, limit int64) (*blobs.Staged, error) {
	if err := i.room(ctx, "", 0); err != nil {
		return nil, err
	}
	st, err := i.local.Stage(ctx, r, limit)
	if err != nil {
		return nil, err
	}
	st.OnKeep(i.backend.Keep)
	return st, nil
}

// Copies is how many durable copies of a content there are, and how many there
// should be.
func (i *Images) Copies(ctx context.Context, sha256 string) (have, want int, err error) {
	return i.backend.Copies(ctx, sha256)
}

// Drain makes sure that whatever is here is kept well without this node. Members
// have to know already that it leaves.
func (i *Images) Drain(ctx context.Context) error { return i.backend.Repair(ctx, i.local.List()) }
