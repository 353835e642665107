package proxy

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// services are those that somebody calls, or did a moment ago.
type services struct {
	proxy *Proxy
	tasks sync.WaitGroup

	mu  sync.Mutex
	all map[api.Key]*target
}

// target is one service.
type target struct {
	*balancer.Balancer
	transport atomic.Pointer[balancer.Transport]
	end       context.CancelFunc

	// Under services.mu, but for calls going down.
	calls atomic.Int64
	used  time.Time
}

func (s *services) start(p *Proxy) {
	s.proxy, s.all = p, map[api.Key]*target{}
	s.tasks.Go(s.sweep)
}

// enter counts a call to a service in, once it is known who serves. Leave it.
func (s *services) enter(ctx context.Context, key api.Key) (*target, error) {
	t, err := s.get(key)
	if err != nil {
		return nil, err
	}
	select {
	case <-t.Ready():
		return t, nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	select {
	case <-t.Ready():
		return t, nil
	case <-ctx.Done():
		t.leave()
		return nil, refuse(http.StatusServiceUnavailable, "the registry has not said yet who serves this")
	}
}

func (t *target) leave() { t.calls.Add(-1) }

func (s *services) get(key api.Key) (*target, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.all[key]
	if t == nil {
		if s.proxy.ctx.Err() != nil {
			return nil, refuse(http.StatusServiceUnavailable, "this node is stopping: ask another one")
		}
		if len(s.all) >= maxServices && !s.forget(time.Now(), 0) {
			return nil, refuse(http.StatusServiceUnavailable, "%d services are called through this node already", maxServices)
		}
		t = s.open(key)
		s.all[key] = t
	}
	t.calls.Add(1)
	t.used = time.Now()
	return t, nil
}

// open begins to follow a service.
func (s *services) open(key api.Key) *target {
	p := s.proxy
	ctx, end := context.WithCancel(p.ctx)
	t := &target{Balancer: balancer.New(name(key), balancer.Config{Rule: defaultRule(), KeepEmpty: -1}), end: end}
	t.use(p, settings{})
	s.tasks.Go(func() {
		defer t.Close()
		follow(ctx, p, key, t)
	})
	return t
}

func name(key api.Key) string {
	return strings.Join([]string{key.Namespace, key.Group, key.Name}, "@@")
}

// use has calls from now on go by settings.
func (t *target) use(p *Proxy, s settings) {
	made := &balancer.Transport{
		Balancer: t.Balancer, Base: p.bases, Retry: balancer.Retry{Next: s.next()}, AnswerTime: s.answerTime(),
		Statuses: retried,
	}
	if p.guests != nil {
		made.Interceptors = []balancer.Interceptor{p.inward}
	}
	t.transport.Store(made)
}

// inward has guests be called from within their network, where they have announced
// themselves. That somebody else has registered a guest's address is no reason to.
func (p *Proxy) inward(r *http.Request, s *balancer.Server, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	if _, announced := service.ServerOf(s.ID); announced {
		return p.guests.RoundTrip(r)
	}
	return next(r)
}

// retried are the statuses after which another endpoint is asked, if the request may
// be made twice.
var retried = []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// sweep forgets the services that nobody calls any more.
func (s *services) sweep() {
	ticker := time.NewTicker(idleService / 4)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			s.mu.Lock()
			s.forget(now, idleService)
			s.mu.Unlock()
		case <-s.proxy.ctx.Done():
			return
		}
	}
}

// forget ends services that were not called for a while, and says whether there were
// any. Called under the lock.
func (s *services) forget(now time.Time, idle time.Duration) (any bool) {
	for key, t := range s.all {
		if t.calls.Load() == 0 && now.Sub(t.used) >= idle {
			t.end()
			delete(s.all, key)
			any = true
		}
	}
	return any
}

// balancers of all services, for their numbers.
func (s *services) balancers() (all []*balancer.Balancer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.all {
		all = append(all, t.Balancer)
	}
	return all
}
