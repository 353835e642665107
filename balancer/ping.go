package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Defaults and limits of pings: Ribbon's.
const (
	DefaultPingEvery = 30 * time.Second // NFLoadBalancerPingInterval
	DefaultPingTime  = 2 * time.Second  // NFLoadBalancerMaxTotalPingTime, here of each
	pingWidth        = 64               // at once
	maxPingBody      = 64 << 10         // bytes
)

// Pinging looks at every server of a list from time to time.
type Pinging struct {
	Ping  func(ctx context.Context, s *Server) error // nil error: it is alive
	Every time.Duration                              // 0: DefaultPingEvery
	Time  time.Duration                              // of one; 0: DefaultPingTime
}

// PingTCP is alive if it takes connections.
func PingTCP(ctx context.Context, s *Server) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address())
	if err != nil {
		return err
	}
	return c.Close()
}

// PingHTTP is alive if a GET of path is answered with 200 and, if it is not empty,
// a body that holds text: Ribbon's PingUrl.
func PingHTTP(path, text string) func(context.Context, *Server) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context, s *Server) error {
		scheme := s.Scheme
		if scheme == "" {
			scheme = "http"
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+s.Address()+"/"+strings.TrimPrefix(path, "/"), nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }() // it was only read
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("it answered %s", resp.Status)
		}
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxPingBody))
		if err == nil && !strings.Contains(string(raw), text) {
			err = errors.New("its answer is another than expected")
		}
		return err
	}
}

// run pings until ctx ends.
func (p *Pinging) run(ctx context.Context, b *Balancer) {
	every, limit := p.Every, p.Time
	if every <= 0 {
		every = DefaultPingEvery
	}
	if limit <= 0 {
		limit = DefaultPingTime
	}
	select {
	case <-b.Ready():
	case <-ctx.Done():
		return
	}
	for {
		slots := make(chan struct{}, pingWidth)
		var wg sync.WaitGroup
		for _, s := range b.Set().All {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				one, cancel := context.WithTimeout(ctx, limit)
				defer cancel()
				err := p.Ping(one, s)
				if ctx.Err() == nil {
					b.SetAlive(s.id, err == nil)
				}
			})
		}
		wg.Wait()
		if !pauseFor(ctx, every) {
			return
		}
	}
}
