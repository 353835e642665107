package service

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// create makes the service, if its name is one.
func (w *edit) create(auto, persistent bool) error {
	namespace, group, name, err := Parse(w.in.ID)
	if err != nil {
		return err
	}
	k := w.store()
	*k = kept{
		ID: w.in.ID, Exists: true, Auto: auto, Persistent: persistent, CreatedAt: w.in.Now.UnixNano(), High: k.High, Evicted: k.Evicted,
		namespace: namespace, group: group, name: name,
	}
	w.visible = true
	return nil
}

func setService(s State, in actors.Input, m *messages.SetService) (State, []actors.Effect, error) {
	switch {
	case m.Mode == messages.SetService_CREATE && s.exists():
		return s, nil, fmt.Errorf("service %s exists already: %w", in.ID, messages.Conflict)
	case m.Mode == messages.SetService_UPDATE && !s.exists():
		return s, nil, absent(in.ID)
	}
	if err := checkSet(m); err != nil {
		return s, nil, err
	}
	w := s.edit(in)
	if !s.exists() {
		if err := w.create(false, m.Persistent); err != nil {
			return s, nil, err
		}
	}
	k := w.kept.change()
	k.Auto = false
	if w.l.held == 0 {
		k.Persistent = m.Persistent
	}
	if m.ProtectThreshold != nil {
		k.ProtectThreshold = *m.ProtectThreshold
	}
	if m.MetadataSet || len(m.Metadata) > 0 {
		k.Metadata = m.Metadata
	}
	if m.Selector != nil {
		k.Selector = m.Selector
	}
	w.assume(k)
	w.evict()
	return w.done()
}

// checkSet accepts what a service may be set to.
func checkSet(m *messages.SetService) error {
	if t := m.GetProtectThreshold(); !(t >= 0 && t <= 1) {
		return ErrThreshold
	}
	if err := checkTexts(m.Metadata, MaxServiceMetadata); err != nil {
		return fmt.Errorf("a service's metadata have at most %d characters: %w", MaxServiceMetadata, err)
	}
	_, err := ParseSelector(m.Selector)
	return err
}

// assume makes k what is stored, if it says anything new.
func (w *edit) assume(k *kept) {
	o := w.kept
	seen := o.Persistent != k.Persistent || o.Project != k.Project || o.ProtectThreshold != k.ProtectThreshold || !sameMap(o.Metadata, k.Metadata) ||
		!proto.Equal(o.Selector, k.Selector) || !slices.EqualFunc(o.Clusters, k.Clusters, func(a, b *messages.ServiceCluster) bool { return proto.Equal(a, b) })
	if seen || o.Auto != k.Auto {
		w.kept, w.visible = k, w.visible || seen
	}
}

func deleteService(s State, in actors.Input) (State, []actors.Effect, error) {
	if !s.exists() {
		return s, nil, absent(in.ID)
	}
	if s.live.held > 0 {
		return s, nil, fmt.Errorf("service %s has %d endpoints: %w", in.ID, s.live.held, messages.Conflict)
	}
	w := s.edit(in)
	w.bury()
	return w.done()
}

// bury removes the service. The mark of its revisions stays: one that is made anew
// goes on from there.
func (w *edit) bury() {
	k := w.store()
	*k = kept{ID: k.ID, High: k.High, Evicted: k.Evicted, namespace: k.namespace, group: k.group, name: k.name}
	for key := range w.Snapshot.All() {
		w.Snapshot = w.Snapshot.Delete(key)
	}
	w.l.dirty, w.l.unsaved, w.visible = nil, 0, true
}

func setCluster(s State, in actors.Input, m *messages.SetCluster) (State, []actors.Effect, error) {
	if !s.exists() {
		return s, nil, absent(in.ID)
	}
	name := Cluster(m.Cluster)
	if err := CheckCluster(name); err != nil {
		return s, nil, err
	}
	if err := CheckHealthCheck(m.Check); err != nil {
		return s, nil, err
	}
	if err := checkTexts(m.Metadata, MaxServiceMetadata); err != nil {
		return s, nil, fmt.Errorf("a cluster's metadata have at most %d characters: %w", MaxServiceMetadata, err)
	}
	w := s.edit(in)
	k := w.kept.change()
	c := &messages.ServiceCluster{Name: name, Check: m.Check, Metadata: m.Metadata}
	i, ok := slices.BinarySearchFunc(k.Clusters, name, func(c *messages.ServiceCluster, name string) int { return cmp.Compare(c.Name, name) })
	switch k.Clusters = slices.Clone(k.Clusters); {
	case ok && m.Check == nil:
		c.Check = k.Clusters[i].Check
		fallthrough
	case ok:
		k.Clusters[i] = c
	case len(k.Clusters) >= MaxClusters:
		return s, nil, fmt.Errorf("a service has at most %d clusters: %w", MaxClusters, messages.Exhausted)
	default:
		k.Clusters = slices.Insert(k.Clusters, i, c)
	}
	k.Auto = false
	w.assume(k)
	w.watchCluster(name)
	return w.done()
}
