package registry

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// Change is what a connection is to keep in a service: all of it; no endpoints: nothing
// there any more.
type Change struct {
	At        actors.Ref
	Endpoints []*messages.Endpoint
	Max       int // services in which the connection may keep something; 0: no limit
}

// Set makes endpoints all that a connection keeps in a service. It waits until the
// service has taken that. Endpoints belong to Owners from now on, and to the service
// where it lives in this process: nobody changes them; Owner, Cluster and RegisteredAt
// are filled in. Unavailable leaves it undecided, and Owners goes on trying; any other
// error: nothing changed.
func (o *Owners) Set(ctx context.Context, conn string, c Change) (err error) {
	s, err := o.begin(conn, c)
	if s.holding == nil {
		return err
	}
	s.holding.sending.Lock()
	defer func() { err = s.end(err) }()
	m, err := s.note()
	if err == nil {
		_, err = o.cloud.Ask(ctx, c.At, m)
	}
	return err
}

// SetAll is Set of each of some changes, at once as far as they are of different
// services. Answered is called with the number of each, once it has been taken or
// refused; idle before anybody is waited for.
func (o *Owners) SetAll(ctx context.Context, conn string, all []Change, answered func(i int, err error), idle func()) {
	under := make([]setting, 0, len(all)) // way
	numbers := make([]int, 0, len(all))
	questions := make([]cluster.Question, 0, len(all))
	var later []int
	for i, c := range all {
		s, err := o.begin(conn, c)
		switch {
		case s.holding == nil:
			answered(i, err)
			continue
		case !s.holding.sending.TryLock(): // one before it is under way, maybe of these
			o.release(s.owner, c.At, s.holding)
			later = append(later, i)
			continue
		}
		m, err := s.note()
		if err != nil {
			answered(i, s.end(err))
			continue
		}
		under, numbers = append(under, s), append(numbers, i)
		questions = append(questions, cluster.Question{To: c.At, Message: m})
	}
	cluster.AskTogether(ctx, o.cloud, questions, func(n int, _ proto.Message, err error) {
		answered(numbers[n], under[n].end(err))
	}, idle)
	for _, i := range later {
		idle()
		answered(i, o.Set(ctx, conn, all[i]))
	}
}

// setting is a change under way.
type setting struct {
	Change
	owners  *Owners
	owner   *owner
	holding *holding             // nil: there is nothing to be done
	before  []*messages.Endpoint // what was kept
	noted   bool
}

// begin finds what a connection keeps in a service; no holding without an error if
// there is nothing, and nothing is to be made.
func (o *Owners) begin(conn string, c Change) (setting, error) {
	w, h, err := o.hold(conn, c)
	return setting{Change: c, owners: o, owner: w, holding: h}, err
}

// note writes down what is kept from now on; m says it to the service. Called under
// the holding's sending; what it begins is to be ended.
func (s *setting) note() (m *messages.RegisterEndpoints, err error) {
	now := time.Now().UnixNano()
	for _, e := range s.Endpoints { // so the service need not make a copy
		e.Owner, e.Cluster, e.RegisteredAt = s.owner.id, service.Cluster(e.Cluster), now
	}
	if s.before, err = s.owners.note(s.owner, s.At, s.holding, s.Endpoints); err != nil {
		return nil, err
	}
	s.noted = true
	return &messages.RegisterEndpoints{Owner: s.owner.id, Replace: true, Endpoints: s.Endpoints}, nil
}

// end is what came of it, if the service has answered with err.
func (s *setting) end(err error) error {
	switch kind := messages.KindOf(err); {
	case !s.noted, err == nil, kind == messages.ErrorKind_ERROR_KIND_UNAVAILABLE:
	case kind == messages.ErrorKind_ERROR_KIND_NOT_FOUND && len(s.Endpoints) == 0:
		err = nil
	default:
		_, _ = s.owners.note(s.owner, s.At, s.holding, s.before)
	}
	s.holding.sending.Unlock()
	s.owners.release(s.owner, s.At, s.holding)
	return err
}

// hold finds what a connection keeps in a service; nil without an error if there
// is nothing, and nothing is to be made. What it returns is to be released.
func (o *Owners) hold(conn string, c Change) (*owner, *holding, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.conns[conn]
	if w == nil {
		return nil, nil, errEnded
	}
	h := w.has.Get(c.At)
	if h == nil && len(c.Endpoints) > 0 {
		if c.Max > 0 && w.has.Len() >= c.Max {
			return nil, nil, fmt.Errorf("a connection has instances in at most %d services: %w", c.Max, messages.Exhausted)
		}
		h = &holding{}
		w.has.Put(c.At, h)
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
	switch {
	case len(endpoints) == 0:
		if delete(k.by, w); len(k.by) == 0 {
			delete(o.services, at)
		}
	case len(before) == 0:
		k.by[w] = h
	}
	return before, nil
}
