package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// Owners knows which endpoints the connections of this node keep, and assures
// their services that they are alive. Safe for concurrent use.
type Owners struct {
	cloud  cluster.Asker
	log    zerolog.Logger
	member string
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	drops  chan struct{} // a place for each drop under way

	mu       sync.Mutex
	conns    map[string]*owner
	services map[actors.Ref]*kept
}

// owner is a connection with endpoints.
type owner struct {
	id    string // MEMBER/CONNECTION
	has   Few[actors.Ref, *holding]
	ended bool
}

// holding is what one connection keeps in one service. Its fields but sending are
// under Owners.mu.
type holding struct {
	sending   sync.Mutex // held while the service is told
	users     int        // who is about to send
	endpoints []*messages.Endpoint
	sum       uint64
}

// kept is what all connections of this node keep in one service.
type kept struct {
	endpoints int
	sum       uint64
	by        map[*owner]*holding
}

// NewOwners makes owners that live until Close. Node names this node; a random
// part makes the member's name unique to this process, for what an earlier one
// kept is not kept any more.
func NewOwners(cloud cluster.Asker, node string, log zerolog.Logger) *Owners {
	mark := make([]byte, 5)
	_, _ = rand.Read(mark) // never fails
	o := &Owners{
		cloud: cloud, log: log, member: strings.ReplaceAll(node, "/", "_") + "~" + hex.EncodeToString(mark),
		drops: make(chan struct{}, dropsAtOnce), conns: map[string]*owner{}, services: map[actors.Ref]*kept{},
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.tasks.Go(o.assure)
	return o
}

// Close stops the assurances: the services drop what was kept here after 15 s,
// unless it was dropped before or is registered elsewhere by then.
func (o *Owners) Close() {
	o.cancel()
	o.tasks.Wait()
}

// Owner is the name under which services know a connection of this node.
func (o *Owners) Owner(conn string) string { return o.member + "/" + conn }

// Conn is the connection that an owner's name is about, and whether it is one of
// this node.
func (o *Owners) Conn(owner string) (conn string, here bool) {
	member, conn, _ := strings.Cut(owner, "/")
	return conn, member == o.member
}

// Begin makes a connection known; nothing can be Set before, or after Drop.
func (o *Owners) Begin(conn string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conns[conn] == nil {
		o.conns[conn] = &owner{id: o.Owner(conn)}
	}
}

var errEnded = fmt.Errorf("the connection has ended: %w", messages.Unavailable)

// Get is what a connection keeps in a service; shared.
func (o *Owners) Get(conn string, at actors.Ref) []*messages.Endpoint {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w := o.conns[conn]; w != nil {
		if h := w.has.Get(at); h != nil {
			return h.endpoints
		}
	}
	return nil
}

// Services is all that a connection keeps, by service; its lists are shared.
func (o *Owners) Services(conn string) map[actors.Ref][]*messages.Endpoint {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[actors.Ref][]*messages.Endpoint{}
	if w := o.conns[conn]; w != nil {
		for ref, h := range w.has.All() {
			all[ref] = h.endpoints
		}
	}
	return all
}

// Len is how many connections keep something, in how many services.
func (o *Owners) Len() (conns, services int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns), len(o.services)
}

// Holds is in how many services a connection keeps something.
func (o *Owners) Holds(conn string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w := o.conns[conn]; w != nil {
		return w.has.Len()
	}
	return 0
}
