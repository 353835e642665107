package balancer

import (
	"context"
	"errors"
	"time"
)

// Source is where lists of servers come from. Safe for concurrent use.
type Source interface {
	// Watch hands over the list of a service, and each one that follows it, until ctx
	// ends. It returns before that only if it cannot go on; it is called again then.
	Watch(ctx context.Context, service string, update func([]Endpoint)) error
}

// Lister is a Source that only answers when asked.
type Lister interface {
	List(ctx context.Context, service string) ([]Endpoint, error)
}

// Polling: Ribbon's PollingServerListUpdater.
const (
	DefaultEvery = 30 * time.Second // ServerListRefreshInterval
	pollTime     = 10 * time.Second // of one question
	retryFirst   = 500 * time.Millisecond
	retryLast    = 30 * time.Second
)

// Poll makes a Source of what has to be asked; every 0 means DefaultEvery. A
// question that fails changes nothing, and is asked again sooner.
func Poll(l Lister, every time.Duration) Source {
	if every <= 0 {
		every = DefaultEvery
	}
	return polled{l, every}
}

type polled struct {
	Lister
	every time.Duration
}

func (p polled) Watch(ctx context.Context, service string, update func([]Endpoint)) error {
	wait := retryFirst
	for {
		one, cancel := context.WithTimeout(ctx, min(pollTime, max(p.every, time.Second)))
		list, err := p.List(one, service)
		cancel()
		pause := p.every
		if err != nil {
			pause = min(wait, p.every)
			wait = min(2*wait, retryLast)
		} else {
			wait = retryFirst
			update(list)
		}
		if !pauseFor(ctx, pause) {
			return ctx.Err()
		}
	}
}

// Fixed is a list that never changes, by service.
type Fixed map[string][]Endpoint

// Watch implements Source.
func (f Fixed) Watch(ctx context.Context, service string, update func([]Endpoint)) error {
	update(f[service])
	<-ctx.Done()
	return ctx.Err()
}

// First asks several sources, and believes the first of them that knows any server:
// where a registry is to be left for another, both can be asked.
type First []Source

// Watch implements Source.
func (f First) Watch(ctx context.Context, service string, update func([]Endpoint)) error {
	if len(f) == 0 {
		return errors.New("there is no source to ask")
	}
	type told struct {
		from int
		list []Endpoint
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lists, failed := make(chan told), make(chan error, len(f))
	for i, s := range f {
		go func() {
			failed <- s.Watch(ctx, service, func(list []Endpoint) {
				select {
				case lists <- told{i, list}:
				case <-ctx.Done():
				}
			})
		}()
	}
	known := make([][]Endpoint, len(f))
	for gone := 0; ; {
		select {
		case t := <-lists:
			known[t.from] = t.list
			best := []Endpoint(nil)
			for _, list := range known {
				if len(list) > 0 {
					best = list
					break
				}
			}
			update(best)
		case err := <-failed:
			if gone++; gone == len(f) || ctx.Err() != nil {
				return err
			}
		}
	}
}
