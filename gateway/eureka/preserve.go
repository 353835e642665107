package eureka

import (
	"context"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// preserving says whether so many leases are missed at once that it is more likely
// the network than they: then nobody is given up. Eureka compares the renewals of a
// minute with those that it expects, which is the same, seen from the other side.
// Called under v.mu.
func (v *view) preserving() bool {
	return float64(len(v.missed)) > preserveFrom*float64(v.leases)
}

// overdue is who has missed its lease and is not preserved, some at a time.
func (v *view) overdue() map[string][]*messages.EndpointKey {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.missed) == 0 || v.preserving() {
		return nil
	}
	due, n := map[string][]*messages.EndpointKey{}, 0
	for e := range v.missed {
		due[e.source] = append(due[e.source], e.key())
		if n++; n == evictAtOnce {
			break
		}
	}
	return due
}

// evictions removes who is overdue, again and again. Every node does: it does no harm
// twice. Who renews at that very moment is told to register again at its next beat.
func (a *API) evictions(ctx context.Context) {
	ticker := time.NewTicker(evictEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.evict(ctx)
		}
	}
}

func (a *API) evict(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	for name, keys := range a.view.overdue() {
		_, err := a.cfg.Cloud.Ask(ctx, a.ref(name), &messages.DeregisterEndpoints{Endpoints: keys, EphemeralOnly: true})
		if err != nil {
			a.cfg.Log.Warn().Str("service", name).Int("instances", len(keys)).Err(err).Msg("instances that renew no more could not be removed yet")
			continue
		}
		a.cfg.Log.Info().Str("service", name).Int("instances", len(keys)).Msg("removed instances that renew no more")
	}
}
