package registry

import (
	"context"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// Drop says that a connection has ended: what it kept is removed after a grace
// period, or with atOnce (it said goodbye) without. It waits for nothing.
func (o *Owners) Drop(conn string, atOnce bool) {
	o.mu.Lock()
	w := o.conns[conn]
	if w == nil {
		o.mu.Unlock()
		return
	}
	delete(o.conns, conn)
	w.ended = true
	has := w.has
	w.has = Few[actors.Ref, *holding]{}
	for service, h := range has.All() {
		if k := o.services[service]; k != nil && k.by[w] != nil {
			k.endpoints -= len(h.endpoints)
			k.sum ^= h.sum
			if delete(k.by, w); len(k.by) == 0 {
				delete(o.services, service)
			}
		}
	}
	stopping := o.ctx.Err() != nil
	if !stopping && has.Len() > 0 {
		o.tasks.Add(1)
	}
	o.mu.Unlock()
	if !stopping && has.Len() > 0 {
		go func() {
			defer o.tasks.Done()
			o.goodbye(w, has, atOnce)
		}()
	}
}

// goodbye tells the services one after the other.
func (o *Owners) goodbye(w *owner, has Few[actors.Ref, *holding], atOnce bool) {
	select {
	case o.drops <- struct{}{}:
	case <-o.ctx.Done():
		return
	}
	defer func() { <-o.drops }()
	for service, h := range has.All() {
		h.sending.Lock() // a registration under way comes first
		o.sayDropped(service, &messages.DropOwner{Owner: w.id, AtOnce: atOnce})
		h.sending.Unlock()
	}
}

// sayDropped tries some times. What is not heard then, the checksum of the
// assurances says; if nobody else is kept there, their absence.
func (o *Owners) sayDropped(service actors.Ref, m *messages.DropOwner) {
	for try := range dropTries {
		ctx, cancel := context.WithTimeout(o.ctx, dropTime)
		_, err := o.cloud.Ask(ctx, service, m)
		cancel()
		if messages.KindOf(err) != messages.ErrorKind_ERROR_KIND_UNAVAILABLE {
			return
		}
		select {
		case <-time.After(time.Duration(try+1) * dropTime / dropTries):
		case <-o.ctx.Done():
			return
		}
	}
}

// assure says every few seconds that the connections are alive.
func (o *Owners) assure() {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-o.ctx.Done():
			return
		case <-ticker.C:
			o.assureAll()
		}
	}
}

// assureAll tells every service with endpoints of this node, some at once.
func (o *Owners) assureAll() {
	o.mu.Lock()
	services := make([]actors.Ref, 0, len(o.services))
	for ref := range o.services {
		services = append(services, ref)
	}
	o.mu.Unlock()
	work := make(chan actors.Ref)
	var workers sync.WaitGroup
	for range min(keepAtOnce, len(services)) {
		workers.Go(func() {
			for ref := range work {
				o.assureOne(ref)
			}
		})
	}
	for _, ref := range services {
		select {
		case work <- ref:
		case <-o.ctx.Done():
		}
	}
	close(work)
	workers.Wait()
}

// assureOne tells one service, and registers everything again if it does not have
// what is kept here.
func (o *Owners) assureOne(service actors.Ref) {
	ctx, cancel := context.WithTimeout(o.ctx, keepTime)
	defer cancel()
	o.mu.Lock()
	k := o.services[service]
	if k == nil {
		o.mu.Unlock()
		return
	}
	m := &messages.KeepOwners{Member: o.member, Checksum: k.sum, Endpoints: int32(k.endpoints)}
	o.mu.Unlock()
	got, err := cluster.Ask[*messages.OwnersKept](ctx, o.cloud, service, m)
	if err == nil && got.GetResend() || messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_NOT_FOUND {
		o.resend(ctx, service, got.GetOwners())
	}
}

// resend registers all that is kept here in a service anew, and has it drop who
// is known there but not here. What differs only because it is under way is told
// twice, which does no harm.
func (o *Owners) resend(ctx context.Context, service actors.Ref, known []string) {
	o.mu.Lock()
	here := map[string]*holding{}
	owners := map[string]*owner{}
	if k := o.services[service]; k != nil {
		for w, h := range k.by {
			here[w.id], owners[w.id] = h, w
		}
	}
	o.mu.Unlock()
	for id, h := range here {
		o.again(ctx, service, owners[id], h)
	}
	for _, id := range known {
		if _, is := here[id]; !is {
			o.again(ctx, service, &owner{id: id}, nil)
		}
	}
	o.log.Info().Stringer("service", service).Int("connections", len(here)).Msg("registered again what a service had otherwise")
}

// again tells a service what one connection keeps there: nothing, if it is gone.
func (o *Owners) again(ctx context.Context, service actors.Ref, w *owner, h *holding) {
	if h == nil {
		conn, _ := o.Conn(w.id)
		if len(o.Get(conn, service)) == 0 {
			_, _ = o.cloud.Ask(ctx, service, &messages.DropOwner{Owner: w.id}) // else: the next assurance
		}
		return
	}
	h.sending.Lock()
	defer h.sending.Unlock()
	o.mu.Lock()
	endpoints, ended := h.endpoints, w.ended
	o.mu.Unlock()
	if ended || len(endpoints) == 0 {
		return // it says so itself
	}
	_, _ = o.cloud.Ask(ctx, service, &messages.RegisterEndpoints{Owner: w.id, Replace: true, Endpoints: endpoints})
}
