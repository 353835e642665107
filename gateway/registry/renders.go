package registry

import (
	"hash/maphash"
	"sync"

	"github.com/troupe-cloud/troupe/actors"
)

// Renders keeps what answers about services look like, so that a service that is
// asked for again and again is rendered once for each of its revisions. Safe for
// concurrent use; the zero value is not.
type Renders struct {
	seed   maphash.Seed
	shards [renderShards]renders
}

type renders struct {
	mu    sync.Mutex
	bytes int
	of    map[actors.Ref]*render
}

type render struct {
	revision int64
	bytes    int
	views    map[string][]byte
}

// NewRenders needs no end. It keeps about 32 MiB.
func NewRenders() *Renders { return &Renders{seed: maphash.MakeSeed()} }

// Rendered is what make returns for a view of a service at a revision, or what it
// returned before. The bytes are shared: nobody changes them.
func (r *Renders) Rendered(service actors.Ref, revision int64, view string, make func() []byte) []byte {
	sh := &r.shards[maphash.String(r.seed, service.ID)%renderShards]
	if b := sh.find(service, revision, view); b != nil {
		return b
	}
	b := make()
	sh.keep(service, revision, view, b)
	return b
}

func (s *renders) find(service actors.Ref, revision int64, view string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.of[service]; e != nil && e.revision == revision {
		return e.views[view]
	}
	return nil
}

func (s *renders) keep(service actors.Ref, revision int64, view string, b []byte) {
	const room = maxRendered / renderShards
	if len(b) > room/2 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of[service]
	if e != nil && (e.revision != revision || len(e.views) >= maxViews) {
		s.drop(service, e)
		e = nil
	}
	for other, o := range s.of { // whichever: what is asked for often comes back
		if s.bytes+len(b) <= room {
			break
		}
		if o != e {
			s.drop(other, o)
		}
	}
	if e == nil {
		e = &render{revision: revision, views: map[string][]byte{}}
		if s.of == nil {
			s.of = map[actors.Ref]*render{}
		}
		s.of[service] = e
	}
	e.views[view] = b
	e.bytes += len(b)
	s.bytes += len(b)
}

func (s *renders) drop(service actors.Ref, e *render) {
	s.bytes -= e.bytes
	delete(s.of, service)
}
