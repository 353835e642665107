package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Defaults of Priming: Ribbon's.
const (
	DefaultPrimeTries = 9                // MaxRetriesPerServerPrimeConnection
	DefaultPrimeTime  = 30 * time.Second // MaxTotalTimeToPrimeConnections
	DefaultPrimeRatio = 1.0              // MinPrimeConnectionsRatio
	primeWidth        = 32               // servers at once
	primePause        = 50 * time.Millisecond
)

// Priming opens a connection to every server before the first call, by asking each
// for something once.
type Priming struct {
	Path  string        // "": /
	Tries int           // more tries of one server; 0: DefaultPrimeTries
	Time  time.Duration // for all; 0: DefaultPrimeTime
	Ratio float64       // of the servers that have to answer; 0: DefaultPrimeRatio
}

// run asks each server, whatever it answers, and says how many have.
func (p *Priming) run(ctx context.Context, b *Balancer, base http.RoundTripper) error {
	limit, ratio := p.Time, p.Ratio
	if limit <= 0 {
		limit = DefaultPrimeTime
	}
	if ratio <= 0 {
		ratio = DefaultPrimeRatio
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	servers := b.Set().Servers
	errs, slots := make([]error, len(servers)), make(chan struct{}, primeWidth)
	var wg sync.WaitGroup
	for i, s := range servers {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = p.one(ctx, s, base)
		})
	}
	wg.Wait()
	primed := 0
	for _, err := range errs {
		if err == nil {
			primed++
		}
	}
	if float64(primed) < ratio*float64(len(servers)) {
		return fmt.Errorf("%s: %d of %d servers could be primed: %w", b.name, primed, len(servers), errors.Join(errs...))
	}
	return nil
}

func (p *Priming) one(ctx context.Context, s *Server, base http.RoundTripper) error {
	tries := p.Tries
	if tries <= 0 {
		tries = DefaultPrimeTries
	}
	for pause := primePause; ; pause *= 2 {
		err := p.ask(ctx, s, base)
		if err == nil || tries == 0 || !pauseFor(ctx, pause) {
			return err
		}
		tries--
	}
}

func (p *Priming) ask(ctx context.Context, s *Server, base http.RoundTripper) error {
	scheme := s.Scheme
	if scheme == "" {
		scheme = "http"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+s.address+"/"+strings.TrimPrefix(p.Path, "/"), nil)
	if err != nil {
		return err
	}
	resp, err := base.RoundTrip(r)
	if err != nil {
		return err
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxPingBody) // so that the connection is kept
	return resp.Body.Close()
}
