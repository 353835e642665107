// Package push tells programs over HTTP which endpoints a service has, and of each
// change as it comes: GET /troupe/v1/services/NAMESPACE/GROUP/NAME is answered at
// once if the service is at another revision than the one asked with, and else when
// it changes. It owns that one answer; what a service is, and who may know of it,
// is decided elsewhere.
package push

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/door"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// Prefix is what the paths of this package begin with.
const Prefix = "/troupe/v1/services/"

// Limits and times.
const (
	MaxWait      = 60 * time.Second // of one question
	DefaultPolls = 65536            // that wait at once; more are answered 503
	firstLook    = 10 * time.Second // for a service that nobody here has listened to yet
	writeTime    = 60 * time.Second // for a client to take its answer
	maxAgent     = 256              // bytes of what a client calls itself, in listings
)

// Revision is the header with the revision of an answer, also of one without content.
const Revision = "X-Troupe-Revision"

// Config is what the package depends on.
type Config struct {
	Door     *door.Door
	Feeds    *registry.Feeds
	MaxPolls int // 0: DefaultPolls
}

// Server answers the questions.
type Server struct {
	cfg     Config
	polls   atomic.Int64
	closing chan struct{}
	once    sync.Once
}

// New makes a server; Close it before the feeds.
func New(cfg Config) *Server {
	if cfg.MaxPolls == 0 {
		cfg.MaxPolls = DefaultPolls
	}
	return &Server{cfg: cfg, closing: make(chan struct{})}
}

// Close answers all that wait, so that they ask another node.
func (s *Server) Close() { s.once.Do(func() { close(s.closing) }) }

// Waiting is how many questions are not answered yet.
func (s *Server) Waiting() int64 { return s.polls.Load() }

// ServeHTTP answers one question.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.answer(w, r); err != nil {
		door.Fail(w, err)
	}
}

func refuse(status int, form string, args ...any) error {
	return &door.Refusal{Status: status, Sentence: fmt.Sprintf(form, args...)}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return refuse(http.StatusMethodNotAllowed, "this can only be read")
	}
	key, rest, err := door.Key(strings.TrimPrefix(r.URL.EscapedPath(), Prefix))
	if err != nil {
		return err
	}
	if rest != "" {
		return refuse(http.StatusNotFound, "there is nothing below a service")
	}
	have, wait, err := question(r)
	if err != nil {
		return err
	}
	visit, err := s.cfg.Door.Enter(r, false)
	if err != nil {
		return err
	}
	if err := visit.MayRead(key); err != nil {
		return err
	}
	if s.polls.Add(1) > int64(s.cfg.MaxPolls) {
		s.polls.Add(-1)
		return refuse(http.StatusServiceUnavailable, "%d questions wait here already: ask another node", s.cfg.MaxPolls)
	}
	defer s.polls.Add(-1)
	p := &poll{have: have, wake: make(chan struct{}, 1), r: r}
	sub, err := s.cfg.Feeds.Subscribe(service.Ref(key.Namespace, key.Group, key.Name), p)
	if err != nil {
		return err
	}
	defer sub.Cancel()
	state, err := s.await(p, sub, wait)
	if err != nil {
		return err
	}
	write(w, r, state, have)
	return nil
}

// question is what a client has, and how long it would wait for something else.
func question(r *http.Request) (have int64, wait time.Duration, err error) {
	q := r.URL.Query()
	if text := q.Get("revision"); text != "" {
		if have, err = strconv.ParseInt(text, 10, 64); err != nil || have < 0 {
			return 0, 0, refuse(http.StatusBadRequest, "revision is not a number from 0 on")
		}
	}
	if text := q.Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 {
			return 0, 0, refuse(http.StatusBadRequest, "wait is not a time such as 30s")
		}
	}
	return have, min(wait, MaxWait), nil
}

// await is the state that a question is answered with: one at another revision, or,
// when the time is over, the one that the client has.
func (s *Server) await(p *poll, sub *registry.Subscription, wait time.Duration) (*registry.State, error) {
	ctx, cancel := context.WithTimeout(p.r.Context(), firstLook)
	state, err := sub.Await(ctx)
	cancel()
	if err != nil {
		return nil, err
	}
	if state.Revision != p.have || wait == 0 {
		return state, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-p.wake:
			if state = sub.State(); state.Revision != p.have {
				return state, nil
			}
		case <-timer.C:
			return state, nil
		case <-p.r.Context().Done():
			return state, nil // nobody reads it
		case <-s.closing:
			return nil, fmt.Errorf("this node is stopping: ask another one: %w", messages.Unavailable)
		}
	}
}

// poll is one question that waits. It has no goroutine but that of its request.
type poll struct {
	have int64
	wake chan struct{}
	r    *http.Request
}

// Hear is registry.Listener's.
func (p *poll) Hear(_ *registry.Subscription, s *registry.State) {
	if s.Revision != p.have {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// Client is registry.Listener's.
func (p *poll) Client() registry.Client {
	host, port, _ := net.SplitHostPort(p.r.RemoteAddr)
	n, _ := strconv.Atoi(port)
	agent := p.r.UserAgent()
	return registry.Client{IP: host, Port: n, Agent: agent[:min(len(agent), maxAgent)]}
}

var _ registry.Listener = (*poll)(nil)
