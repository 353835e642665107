package console

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	// countFor is how long a count is believed: counting walks the index.
	countFor = 5 * time.Second
	// maxCounted is up to where is counted; more is shown as that many.
	maxCounted = 200_000
	// maxNamespacesCounted bounds what is remembered.
	maxNamespacesCounted = 1024

	indexPage = 1000
)

// Prefixes of index entries; a namespace's escaped id follows.
const (
	configPrefix  = "config/"
	servicePrefix = "service/"
)

// each visits the index entries below prefix, up to maxCounted of them.
func each(ctx context.Context, cloud Cloud, prefix string, visit func(actors.Entry) error) error {
	for after, n := "", 0; n < maxCounted; {
		entries, more, err := cloud.List(ctx, cluster.Page{Prefix: prefix, After: after, Limit: indexPage})
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := visit(e); err != nil {
				return err
			}
		}
		if n += len(entries); !more || len(entries) == 0 {
			return nil
		}
		after = entries[len(entries)-1].Key
	}
	return nil
}

// totals are counts of everything.
type totals struct{ services, endpoints, configs int }

// counts remembers for a moment how much there is. The zero value is ready.
type counts struct {
	mu     sync.Mutex
	in     map[string]count // configs by namespace
	totals totals
	at     time.Time
}

type count struct {
	n  int
	at time.Time
}

// configs counts those of one namespace.
func (c *counts) configs(ctx context.Context, cloud Cloud, ns string) (int, error) {
	c.mu.Lock()
	had, ok := c.in[ns]
	c.mu.Unlock()
	if ok && time.Since(had.at) < countFor {
		return had.n, nil
	}
	now := count{at: time.Now()}
	err := each(ctx, cloud, configPrefix+actors.Escape(ns)+"/", func(actors.Entry) error { now.n++; return nil })
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in == nil || len(c.in) >= maxNamespacesCounted {
		c.in = map[string]count{}
	}
	c.in[ns] = now
	return now.n, nil
}

// all counts everything. Who comes while it is being counted waits for that.
func (c *counts) all(ctx context.Context, cloud Cloud) (totals, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < countFor {
		return c.totals, nil
	}
	var t totals
	err := each(ctx, cloud, servicePrefix, func(e actors.Entry) error {
		s := &messages.ServiceEntry{}
		if err := proto.Unmarshal(e.Value, s); err != nil {
			return fmt.Errorf("the entry of service %s: %w", e.Key, err)
		}
		t.services++
		t.endpoints += int(s.EndpointCount)
		return nil
	})
	if err == nil {
		err = each(ctx, cloud, configPrefix, func(actors.Entry) error { t.configs++; return nil })
	}
	if err != nil {
		return t, err
	}
	c.totals, c.at = t, time.Now()
	return t, nil
}
