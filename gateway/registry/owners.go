package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
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

// Set makes endpoints all that a connection keeps in a service; none: it keeps
// nothing there any more. It waits until the service has taken that. Endpoints
// belong to Owners from now on, and to the service where it lives in this process:
// nobody changes them; Owner, Cluster and RegisteredAt are filled in. Unavailable
// leaves it undecided, and Owners goes on trying; any other error: nothing changed.
func (o *Owners) Set(ctx context.Context, conn string, at actors.Ref, endpoints []*messages.Endpoint) error {
	w, h, err := o.hold(conn, at, len(endpoints) > 0)
	if h == nil {
		return err
	}
	defer o.release(w, at, h)
	now := time.Now().UnixNano()
	for _, e := range endpoints { // so the service need not make a copy
		e.Owner, e.Cluster, e.RegisteredAt = w.id, service.Cluster(e.Cluster), now
	}
	h.sending.Lock()
	defer h.sending.Unlock()
	before, err := o.note(w, at, h, endpoints)
	if err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err = o.cloud.Ask(ctx, at, &messages.RegisterEndpoints{Owner: w.id, Replace: true, Endpoints: endpoints})
	switch kind := messages.KindOf(err); {
	case err == nil, kind == messages.ErrorKind_ERROR_KIND_NOT_FOUND && len(endpoints) == 0:
		return nil
	case kind != messages.ErrorKind_ERROR_KIND_UNAVAILABLE:
		_, _ = o.note(w, at, h, before)
	}
	return err
}

// bounded gives ctx an end, if it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, setTime)
}

// hold finds what a connection keeps in a service; nil without an error if there
// is nothing, and nothing is to be made. What it returns is to be released.
func (o *Owners) hold(conn string, at actors.Ref, make bool) (*owner, *holding, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.conns[conn]
	if w == nil {
		return nil, nil, errEnded
	}
	h := w.has.Get(at)
	if h == nil && make {
		h = &holding{}
		w.has.Put(at, h)
	}
	if h != nil {
		h.users++
	}
	return w, h, nil
}

// release forgets a holding that holds nothing.
func (o *Owners) release(w *owner, at actors.Ref, h *holding) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h.users--; h.users == 0 && len(h.endpoints) == 0 {
		w.has.Delete(at)
	}
}

// note writes down what a connection keeps in a service, and says what it kept
// before.
func (o *Owners) note(w *owner, at actors.Ref, h *holding, endpoints []*messages.Endpoint) ([]*messages.Endpoint, error) {
	sum := service.Checksum(endpoints...)
	o.mu.Lock()
	defer o.mu.Unlock()
	if w.ended {
		return nil, errEnded
	}
	k := o.services[at]
	if k == nil {
		k = &kept{by: map[*owner]*holding{}}
		o.services[at] = k
	}
	before := h.endpoints
	k.endpoints += len(endpoints) - len(before)
	k.sum ^= h.sum ^ sum
	h.endpoints, h.sum = endpoints, sum
	if len(endpoints) > 0 {
		k.by[w] = h
	} else if delete(k.by, w); len(k.by) == 0 {
		delete(o.services, at)
	}
	return before, nil
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
