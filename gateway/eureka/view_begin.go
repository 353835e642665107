package eureka

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// ready waits until the view shows all that there is. It begins with the first who
// asks: a cloud without Eureka's clients watches nothing for them.
func (v *view) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, v.waits.ready)
	defer cancel()
	whole, err := v.begin(ctx)
	if err != nil {
		return err
	}
	select {
	case <-whole:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("not all services have been heard of yet: %w", messages.Unavailable)
	}
}

func (v *view) begin(ctx context.Context) (<-chan struct{}, error) {
	v.mu.Lock()
	whole, failed := v.whole, v.failed
	late := v.now().After(v.retry)
	v.mu.Unlock()
	switch {
	case whole != nil:
		return whole, nil
	case failed != nil && !late:
		return nil, failed
	}
	all, stop, err := v.names.Watch(ctx, registry.ServiceKind, v.namespace, v)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.whole != nil || v.closed { // another was quicker
		stop()
		if v.closed {
			return nil, errStopping
		}
		return v.whole, nil
	}
	// One more, so that it is not whole before all have been looked at.
	v.whole, v.stop, v.waiting = make(chan struct{}), stop, 1
	for _, name := range all {
		if name.Group == v.group {
			if err = v.join(name.Name, true); err != nil {
				break
			}
		}
	}
	if err != nil {
		stop()
		v.forget()
		v.failed, v.retry = err, v.now().Add(againTime)
		v.log.Warn().Err(err).Msg("the registry cannot be shown to Eureka's clients")
		return nil, err
	}
	v.failed = nil
	v.heard()
	if whole := v.whole; v.waiting > 0 {
		time.AfterFunc(v.patient, func() { v.giveUp(whole) })
	}
	return v.whole, nil
}

// giveUp shows a view without the services that have not answered yet: one that
// cannot be asked must not hide all others for ever.
func (v *view) giveUp(whole chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.whole != whole || v.waiting == 0 {
		return
	}
	v.log.Warn().Int("services", v.waiting).Msg("services that do not answer are not shown to Eureka's clients yet")
	for _, s := range v.sources {
		s.first = false
	}
	v.waiting = 0
	close(v.whole)
}

var errStopping = fmt.Errorf("this gateway is stopping: %w", messages.Unavailable)

// heard counts down to the whole view. Called under v.mu.
func (v *view) heard() {
	if v.waiting--; v.waiting == 0 {
		close(v.whole)
	}
}

// forget makes it a view that has not begun. Called under v.mu.
func (v *view) forget() {
	for _, s := range v.sources {
		s.sub.Cancel()
		s.gone = true
	}
	v.sources, v.apps, v.ordered, v.services = map[string]*source{}, map[string]*app{}, nil, nil
	v.ids, v.vips, v.svips, v.counts = index{}, index{}, index{}, map[string]int{}
	v.missed, v.leases, v.recent, v.whole = map[*entry]struct{}{}, 0, newRecent(), nil
	v.version++
}

// close ends all watching.
func (v *view) close() {
	v.mu.Lock()
	stop := v.stop
	v.closed = true
	v.forget()
	v.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// join begins to listen to a service. Called under v.mu.
func (v *view) join(name string, first bool) error {
	if v.sources[name] != nil {
		v.sources[name].orphan = false
		return nil
	}
	s := &source{view: v, name: name, entries: map[place]*entry{}}
	sub, err := v.feeds.Subscribe(service.Ref(v.namespace, v.group, name), s)
	if err != nil {
		return err
	}
	s.sub = sub
	v.sources[name], v.services = s, nil
	if first {
		s.first = true
		v.waiting++
	}
	if state := sub.State(); state != nil {
		v.apply(s, state)
	}
	return nil
}

// ensure has the view listen to a service of which it may not have heard yet, for it
// has just been changed.
func (v *view) ensure(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.whole == nil {
		return
	}
	if err := v.join(name, false); err != nil {
		v.log.Warn().Str("service", name).Err(err).Msg("a service is not shown to Eureka's clients")
	}
}

// NamesChanged is registry.NamesWatcher's.
func (v *view) NamesChanged(all []registry.NameChange) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.whole == nil {
		return
	}
	for _, c := range all {
		s := v.sources[c.Name.Name]
		switch {
		case c.Group != v.group:
		case c.Added:
			if err := v.join(c.Name.Name, false); err != nil {
				v.log.Warn().Str("service", c.Name.Name).Err(err).Msg("a service is not shown to Eureka's clients")
			}
		case c.Removed && s != nil:
			// The list may be older than what was heard from the service itself.
			if s.orphan = true; len(s.entries) == 0 {
				v.leave(s)
			}
		}
	}
}

// leave ends listening to a service that has nothing. Called under v.mu.
func (v *view) leave(s *source) {
	s.sub.Cancel()
	s.gone = true
	delete(v.sources, s.name)
	v.services = nil
	if s.first {
		s.first = false
		v.heard()
	}
}
