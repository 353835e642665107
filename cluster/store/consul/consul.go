// Package consul owns durable state in Consul's KV store: compare-and-set, group
// commit in transactions, whole transactions of any size, lists in bounded
// answers, watches. It knows nothing of actors, membership or leases; a lease
// that commits shall depend on is named to it with SetFence.
//
// Every outcome is certain unless Consul stays away for longer than
// Config.Patience. Each transaction goes out on a lane: an entry of Consul that
// the same transaction compares and sets. So the lane's entry tells whether a
// transaction whose answer was lost took place; and once the lane has moved on,
// one that is still on its way never will.
package consul

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	defaultPrefix   = "troupe"
	defaultCluster  = "troupe"
	defaultPatience = 5 * time.Second
	defaultLanes    = 8 // transactions in flight
	maxLanes        = 32
	queueLength     = 1024
)

// Config says which Consul, and as whom.
type Config struct {
	// Address is HOST:PORT of the agent; several with commas between are tried
	// in turn.
	Address string
	Token   string // of Consul's access control; "": none
	TLS     TLS

	// Prefix is the folder that holds everything; default "troupe".
	Prefix string

	// Cluster is whose data it must be. "" takes what is there; an empty folder
	// becomes that of Cluster, or of "troupe".
	Cluster string

	// MustExist refuses an empty folder with NotFound instead of making it one.
	MustExist bool

	// Writer names this process among those that write: a node's name. With the
	// same name after a restart, what the dead process had sent and Consul has not
	// yet taken is never taken. "": a random one.
	Writer string

	// Patience is how long a commit or a read waits for Consul to be usable; a
	// commit may take twice as long to fail. Default 5 s.
	Patience time.Duration

	// Lanes is how many transactions are in flight at most; default 8.
	Lanes int
}

// TLS are files in PEM; with all of them empty the connection is plain HTTP. The
// client's certificate is read again for every connection, so it can be replaced.
type TLS struct {
	CA, Cert, Key string
	ServerName    string // expected in the server's certificate; "": the address
}

// Store is a store.Store in Consul. Make one with Open.
type Store struct {
	config    Config
	client    *api.Client
	transport *transport
	root      string // of all names, with its slash

	id      [8]byte // this Store's, the first half of every mark
	counter atomic.Uint64
	fence   atomic.Pointer[func() (key, session string)]

	queue   chan *request
	landed  chan []*request
	lanes   chan *lane
	drained chan struct{} // closed when the scheduler has ended
	life    context.Context
	end     context.CancelFunc
	tasks   sync.WaitGroup  // of life
	open    context.Context // ends when Close begins
	shut    context.CancelFunc

	mu     sync.RWMutex
	closed bool
	once   sync.Once

	most     atomic.Int32 // operations that Consul takes in one transaction
	gather   gather
	known    known
	shape    shape
	watching watches
}

var (
	_ store.Store     = (*Store)(nil)
	_ store.Submitter = (*Store)(nil)
	_ store.Sized     = (*Store)(nil)
	_ store.Loader    = (*Store)(nil)
	_ store.Gatherer  = (*Store)(nil)
	_ store.Watcher   = (*Store)(nil)
)

// Open connects, and checks that the folder is c.Cluster's and can be written.
// Errors wrap Invalid (the configuration), Unavailable (no Consul there, or no
// leader), Denied (the token), Conflict (another cluster's) or store.ErrCorrupt.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	t, client, err := connect(c)
	if err != nil {
		return nil, err
	}
	s := &Store{
		config: c, client: client, transport: t, root: c.Prefix + "/",
		queue: make(chan *request, queueLength), landed: make(chan []*request, c.Lanes),
		lanes: make(chan *lane, c.Lanes), drained: make(chan struct{}),
	}
	_, _ = rand.Read(s.id[:]) // never fails
	s.config.Writer = cmp.Or(c.Writer, hex.EncodeToString(s.id[:]))
	s.life, s.end = context.WithCancel(context.Background())
	s.open, s.shut = context.WithCancel(s.life)
	s.watching.init()
	if err := s.begin(ctx); err != nil {
		s.end()
		t.CloseIdleConnections()
		return nil, err
	}
	go s.schedule()
	s.tasks.Go(s.janitor)
	return s, nil
}

func (c *Config) complete() error {
	c.Prefix = strings.Trim(cmp.Or(c.Prefix, defaultPrefix), "/")
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	c.Lanes = min(cmp.Or(c.Lanes, defaultLanes), maxLanes)
	if escape(c.Prefix) != c.Prefix || c.Prefix == "" || len(c.Prefix) > 128 {
		return fmt.Errorf("the Consul prefix %q: 1 to 128 printable characters: %w", c.Prefix, messages.Invalid)
	}
	if c.Writer != "" && (escape(c.Writer) != c.Writer || strings.Contains(c.Writer, "/")) {
		return fmt.Errorf("the writer's name %q has characters that no name has: %w", c.Writer, messages.Invalid)
	}
	return nil
}

// begin reads or makes the marker, then takes the lanes.
func (s *Store) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	if err := s.checkMarker(ctx); err != nil {
		return err
	}
	if err := s.measureOps(ctx); err != nil {
		return s.openError(err)
	}
	for i := range s.config.Lanes {
		l := &lane{s: s, name: fmt.Sprintf("%s%s%s/%d", s.root, writerFolder, s.config.Writer, i)}
		if err := l.take(ctx); err != nil {
			return s.openError(err)
		}
		s.lanes <- l
	}
	return nil
}

// SetFence makes every commit depend on a lease: on the session holding the lock
// on the key (which is one of Consul's, not of this Store). It is asked before
// each transaction; an empty session fails the commit with store.ErrFenced.
func (s *Store) SetFence(f func() (key, session string)) { s.fence.Store(&f) }

func (s *Store) newMark() (m mark) {
	copy(m[:], s.id[:])
	binary.BigEndian.PutUint64(m[8:], s.counter.Add(1))
	return m
}

// Close is store.Store's. A commit whose outcome Consul does not tell within
// Patience is answered store.ErrUnknown.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.shut()
		s.mu.Lock()
		s.closed = true
		close(s.queue)
		s.mu.Unlock()
		<-s.drained
		if s.config.Writer == hex.EncodeToString(s.id[:]) {
			s.dropLanes()
		}
		s.end()
		s.tasks.Wait()
		s.transport.CloseIdleConnections()
	})
	return nil
}

// dropLanes removes the lanes' entries, which nobody will use again.
func (s *Store) dropLanes() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_, _ = s.client.KV().DeleteTree(s.root+writerFolder+s.config.Writer+"/", (&api.WriteOptions{}).WithContext(ctx))
}

const closeTimeout = time.Second

func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: %w: %w", err, messages.Unavailable)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	return nil
}
