package api

import (
	"encoding/hex"
	"math/rand/v2"

	"github.com/troupe-cloud/troupe/messages"
)

var errBusy = Busy.With(&messages.Refusal{Kind: messages.Unavailable, Sentence: "there is too much to do just now: try again later"})

var errTooFast = Busy.With(&messages.Refusal{Kind: messages.Unavailable, Sentence: "too many requests from this address: try again later"})

// admit counts a request in, or refuses it while too much is under way. Long polls
// are counted apart: they cost memory but no work.
func (s *Server) admit(route *Route, remote string) (leave func(), err error) {
	if s.cfg.Allow != nil && !s.cfg.Allow(remote) {
		return nil, errTooFast
	}
	if s.cfg.Pressure != nil && s.cfg.Pressure() >= 1 {
		return nil, errBusy
	}
	count, limit, leave := &s.inFlight, s.cfg.MaxInFlight, s.leave
	if route.Hangs {
		count, limit, leave = &s.hanging, s.cfg.MaxHanging, s.unhang
	}
	if count.Add(1) > int64(limit) {
		leave()
		return nil, errBusy
	}
	return leave, nil
}

func (s *Server) leave()  { s.inFlight.Add(-1) }
func (s *Server) unhang() { s.hanging.Add(-1) }

// reserve counts n more bytes of bodies.
func (x *exchange) reserve(n int64) error {
	x.held += n
	if x.server.bodies.Add(n) > x.server.cfg.MaxBodies {
		return errBusy
	}
	return nil
}

// release gives back what reserve has counted.
func (x *exchange) release() {
	x.server.bodies.Add(-x.held)
	x.held = 0
}

// newRequestID is a random id for the log and the history; it need not be secret.
func newRequestID() string {
	var raw [16]byte
	for half := range 2 {
		n := rand.Uint64()
		for i := range 8 {
			raw[8*half+i] = byte(n >> (8 * i))
		}
	}
	return "nacos-" + hex.EncodeToString(raw[:])
}
