package balancer

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// startTime is how long the first call of a service waits for its list.
const startTime = 10 * time.Second

// Services balances each service that is asked for by its own Balancer, which is
// made when it is first wanted. Safe for concurrent use; Close ends it.
type Services struct {
	Source Source
	// Config of a service; nil: the zero Config of all.
	Config func(service string) Config
	// Is says which hosts of URLs are names of services; nil: those without a dot and
	// that are no address, but localhost.
	Is func(host string) bool
	// Ping looks at servers from time to time; nil: nobody does.
	Ping *Pinging
	// Snapshots is a folder in which lists are kept, to begin with when the registry
	// does not answer; "": none.
	Snapshots string
	// Priming has Prime open connections too, by the transport of Services; nil: it
	// does not.
	Priming *Priming
	// Failed is told what went wrong where nobody waits for it; nil: nobody is.
	Failed func(service string, err error)

	base   sync.Once
	client *http.Transport

	mu     sync.Mutex
	known  map[string]*service
	tasks  sync.WaitGroup
	closed bool
}

type service struct {
	*Balancer
	stop context.CancelFunc
}

// IsName is the Is of Services where there is none.
func IsName(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "" || strings.EqualFold(host, "localhost") {
		return false
	}
	return !strings.Contains(host, ".")
}

// Get is the balancer of a service, with the list of servers as soon as there is
// one. The error is ctx's, or says that none has come in time.
func (s *Services) Get(ctx context.Context, name string) (*Balancer, error) {
	b, err := s.start(name)
	if err != nil {
		return nil, err
	}
	select {
	case <-b.Ready():
		return b, nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	select {
	case <-b.Ready():
		return b, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("no list of servers for %s: %w", name, ctx.Err())
	}
}

// lookup is Get for the host of a URL; nil: it is no service.
func (s *Services) lookup(ctx context.Context, host string) (*Balancer, error) {
	is := s.Is
	if is == nil {
		is = IsName
	}
	if !is(host) {
		return nil, nil
	}
	return s.Get(ctx, host)
}

// start is the balancer of a service, which begins to get lists.
func (s *Services) start(name string) (*Balancer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[name]; known != nil {
		return known.Balancer, nil
	}
	if s.closed {
		return nil, fmt.Errorf("%s: the balancer is closed", name)
	}
	var config Config
	if s.Config != nil {
		config = s.Config(name)
	}
	ctx, stop := context.WithCancel(context.Background())
	made := &service{New(name, config), stop}
	if s.known == nil {
		s.known = map[string]*service{}
	}
	s.known[name] = made
	s.tasks.Go(func() { s.follow(ctx, made.Balancer) })
	if s.Ping != nil {
		s.tasks.Go(func() { s.Ping.run(ctx, made.Balancer) })
	}
	return made.Balancer, nil
}

// Prime starts services and waits until each has a list, and connections if there is
// a Priming, so that no call has to.
func (s *Services) Prime(ctx context.Context, names ...string) error {
	for _, name := range names {
		if _, err := s.start(name); err != nil {
			return err
		}
	}
	for _, name := range names {
		b, err := s.Get(ctx, name)
		if err != nil {
			return err
		}
		if s.Priming != nil {
			if err := s.Priming.run(ctx, b, s.transport()); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow hands lists to a balancer as they come.
func (s *Services) follow(ctx context.Context, b *Balancer) {
	kept := s.snapshot(b.Name())
	timer := time.AfterFunc(snapshotAfter, func() {
		select {
		case <-b.Ready():
		default:
			s.complain(b.Name(), kept.use(b))
		}
	})
	defer timer.Stop()
	for wait := retryFirst; ; wait = min(2*wait, retryLast) {
		began := time.Now()
		err := s.Source.Watch(ctx, b.Name(), func(list []Endpoint) {
			b.Update(list)
			s.complain(b.Name(), kept.keep(list))
		})
		if ctx.Err() != nil {
			return
		}
		s.complain(b.Name(), err)
		if time.Since(began) > retryLast {
			wait = retryFirst
		}
		if !pauseFor(ctx, wait) {
			return
		}
	}
}

func (s *Services) complain(service string, err error) {
	if err != nil && s.Failed != nil {
		s.Failed(service, err)
	}
}

// Names are the services that were asked for.
func (s *Services) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.known))
	for name := range s.known {
		names = append(names, name)
	}
	return names
}

// Close ends all balancers, and waits until nothing of them runs any more.
func (s *Services) Close() {
	s.mu.Lock()
	s.closed = true
	for _, known := range s.known {
		known.stop()
		known.Close()
	}
	s.mu.Unlock()
	s.tasks.Wait()
	s.transport().CloseIdleConnections()
}

// transport makes the requests of those who have none of their own.
func (s *Services) transport() *http.Transport {
	s.base.Do(func() { s.client = NewBase() })
	return s.client
}

// Limits of NewBase.
const (
	connectTime = 2 * time.Second  // Ribbon's ConnectTimeout
	keptConns   = 50               // idle ones to each server: MaxHttpConnectionsPerHost
	keptInAll   = 2000             // over all servers
	keptTime    = 30 * time.Second // ConnIdleEvictTimeMilliSeconds
	maxHeaders  = 256 << 10        // bytes of an answer's headers
)

// NewBase is a http.Transport for requests to many servers that come and go: it gives
// up on those that do not answer soon, keeps some connections to each, and asks no
// proxy.
func NewBase() *http.Transport {
	return &http.Transport{
		DialContext: dialer(connectTime).DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: connectTime, ExpectContinueTimeout: time.Second,
		MaxIdleConns: keptInAll, MaxIdleConnsPerHost: keptConns, IdleConnTimeout: keptTime, MaxResponseHeaderBytes: maxHeaders,
	}
}
