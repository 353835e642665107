package registry

import (
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// State is one state of a service or key, shared by all who hear it: nobody
// changes anything in it.
type State struct {
	Ref    actors.Ref
	Number uint64 // counts the states of the feed from 1

	// Service is set for services that exist, Digest for keys (also for those that
	// do not exist: it is empty then).
	Service *messages.Service
	Digest  *messages.ConfigDigest

	// Revision strictly grows from state to state of a service, also when it is
	// removed and made again; about Unix milliseconds. 0 for keys.
	Revision int64

	mu    sync.Mutex
	views map[string][]byte
}

// absentAge is less than the time for which a service without endpoints goes on
// (service.EmptyTime), and more than clocks of nodes differ.
const absentAge = 30 * time.Second

// AbsentRevision is the revision under which to show at a time (both in Unix
// milliseconds) that there is no such service: later than all that was ever seen of
// one that has gone, earlier than all that comes of one that is made from now on,
// also on a node whose clock is behind. Clients drop what is not newer.
func AbsentRevision(now int64) int64 { return now - absentAge.Milliseconds() }

// next is the state that c makes of what was.
func next(was *State, ref actors.Ref, c watch.Change, now time.Time) *State {
	s := &State{Ref: ref, Number: 1}
	if was != nil {
		s.Number = was.Number + 1
	}
	var answer proto.Message
	if c.Err == nil {
		answer = c.Answer
	}
	switch m := answer.(type) {
	case *messages.Service:
		s.Service, s.Revision = m, m.GetRevision()
	case *messages.ConfigDigest:
		s.Digest = m
	}
	if ref.Kind == ConfigKind && s.Digest == nil {
		s.Digest = &messages.ConfigDigest{}
	}
	if ref.Kind == ServiceKind {
		if s.Service == nil {
			s.Revision = AbsentRevision(now.UnixMilli())
		}
		if was != nil {
			s.Revision = max(s.Revision, was.Revision+1)
		}
	}
	return s
}

// shows says whether nobody would see a difference between s and what c makes of it.
func (s *State) shows(c watch.Change) bool {
	switch {
	case s == nil:
		return false
	case s.Ref.Kind == ServiceKind:
		now, _ := c.Answer.(*messages.Service)
		if c.Err != nil || now == nil {
			return s.Service == nil
		}
		return s.Service != nil && s.Service.GetRevision() == now.GetRevision()
	}
	now, _ := c.Answer.(*messages.ConfigDigest)
	return c.Err == nil && s.Digest.GetContentVersion() == now.GetContentVersion() && proto.Equal(s.Digest, now)
}

// Rendered is what render makes of the state, made once for each view, however
// many ask. A view names the dialect and all else that render depends on. The
// bytes are shared: nobody changes them.
func (s *State) Rendered(view string, render func() []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.views[view]; ok {
		return b
	}
	b := render()
	if s.views == nil {
		s.views = map[string][]byte{}
	}
	if len(s.views) < maxViews {
		s.views[view] = b
	}
	return b
}
