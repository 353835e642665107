package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// serverMember is the member under which the servers of the cloud keep endpoints:
// nobody speaks for all of them, and no gateway's name is like it.
const serverMember = "instance"

// ServerOwner is the owner of what a server of the cloud has announced.
func ServerOwner(instance string) string { return serverMember + "/" + instance }

// ServerOf is the server of the cloud whose owner that is, if it is one's: nobody else
// can register as such an owner.
func ServerOf(owner string) (instance string, ok bool) {
	return strings.CutPrefix(owner, serverMember+"/")
}

func isServer(e *messages.Endpoint) bool {
	return e.Owner != "" && strings.HasPrefix(e.Owner, serverMember+"/")
}

// server is what one server of the cloud has announced here. Nobody changes one.
type server struct {
	Seq     uint64
	Project string
	Entries []*entry
}

// announce takes what a server says that it serves. It is stored in the same turn,
// and told to the server only then. What is older than the newest word changes
// nothing, also if it comes after the server has left: graves remember.
func announce(s State, in actors.Input, m *messages.AnnounceEndpoint) (State, []actors.Effect, error) {
	if err := checkAnnounce(m); err != nil {
		return s, nil, err
	}
	row, _ := s.Servers.Get(m.InstanceId)
	if row == nil {
		row = &server{}
	}
	grave, _ := s.Graves.Get(m.InstanceId)
	switch newest := max(row.Seq, grave.Order); {
	case m.Seq < newest:
		return s, nil, nil
	case m.Seq == newest:
		// Not a change of the memory alone: it waits for a commit under way.
		s.kept = s.kept.change()
		return s, []actors.Effect{announced(in.ID, m.InstanceId, m.Seq, grave.Why)}, nil
	}
	w := s.edit(in)
	w.hear(m.InstanceId)
	why := ""
	if len(m.Endpoints) > 0 {
		why = w.serve(m)
	}
	if why != "" {
		w = s.edit(in) // a refusal has done nothing else
		w.hear(m.InstanceId)
	}
	if why != "" || len(m.Endpoints) == 0 {
		w.dismiss(m.InstanceId)
		w.Graves = w.Graves.Bury(actors.Grave{ID: m.InstanceId, At: in.Now, Order: m.Seq, Why: why})
	}
	return w.done(announced(in.ID, m.InstanceId, m.Seq, why))
}

func announced(service, instance string, seq uint64, why string) actors.Effect {
	return actors.Tell{
		To:      actors.Ref{Kind: "instance", ID: instance},
		Message: &messages.EndpointAnnounced{Service: service, Seq: seq, Refused: why},
	}
}

func checkAnnounce(m *messages.AnnounceEndpoint) error {
	if m.InstanceId == "" || m.ProjectId == "" || m.Seq == 0 || !text(ServerOwner(m.InstanceId), MaxOwnerChars) || len(m.Endpoints) > MaxAnnounced {
		return fmt.Errorf("a server announces itself by its id, its project, a number and at most %d endpoints: %w", MaxAnnounced, messages.Invalid)
	}
	for _, e := range m.Endpoints {
		if err := CheckEndpoint(e); err != nil {
			return err
		}
		if e.Persistent {
			return fmt.Errorf("a server's endpoint is not persistent: %w", messages.Invalid)
		}
	}
	return nil
}

// serve lists what the server has announced, and nothing else of it; or says why it
// is refused.
func (w *edit) serve(m *messages.AnnounceEndpoint) (why string) {
	switch {
	case !w.exists():
		if err := w.create(true, false); err != nil {
			return messages.Sentence(err)
		}
		w.store().Project = m.ProjectId
	case !w.kept.admits(m.ProjectId):
		return "the service is not this project's, and its metadata do not name the project in " + ProjectsKey
	case w.kept.Persistent && w.l.held > 0:
		return "the service has persistent endpoints"
	case w.kept.Persistent:
		w.store().Persistent, w.visible = false, true
	}
	owner := ServerOwner(m.InstanceId)
	row, _ := w.Servers.Get(m.InstanceId)
	named := make([]uint32, 0, len(m.Endpoints))
	for _, e := range m.Endpoints {
		e = copyOf(e)
		e.Healthy = e.Check == nil
		named = append(named, w.put(e, owner))
	}
	if w.l.held > MaxEndpoints || len(w.l.clusters) > MaxClusters {
		return fmt.Sprintf("the service is full: it has %d endpoints in %d clusters", w.l.held, len(w.l.clusters))
	}
	if row != nil {
		for _, r := range row.Entries {
			if p := w.l.place(r.e.Ip, r.e.Port, r.e.Cluster); !p.empty() && !slices.Contains(named, p.of(owner).slot) {
				w.remove(p.of(owner))
			}
		}
	}
	w.number(m)
	w.Graves = w.Graves.Raise(m.InstanceId)
	w.lookAtOnce(named)
	return ""
}

// number notes the newest word of a server in its row.
func (w *edit) number(m *messages.AnnounceEndpoint) {
	next := &server{Seq: m.Seq, Project: m.ProjectId}
	if row, ok := w.Servers.Get(m.InstanceId); ok {
		next.Entries = row.Entries
	}
	w.Servers = w.Servers.Set(m.InstanceId, next)
}

// dismiss removes all that a server has here.
func (w *edit) dismiss(instance string) {
	row, ok := w.Servers.Get(instance)
	if !ok {
		return
	}
	for _, r := range row.Entries {
		if p := w.l.place(r.e.Ip, r.e.Port, r.e.Cluster); !p.empty() {
			w.remove(p.of(r.e.Owner))
		}
	}
	w.Servers = w.Servers.Delete(instance)
}

// keepServer stores a server's endpoint, or that it is gone: r is nil.
func (w *edit) keepServer(old, r *entry) {
	like := cmp.Or(r, old)
	instance, _ := ServerOf(like.e.Owner)
	next := server{}
	if row, ok := w.Servers.Get(instance); ok {
		next = *row
	}
	next.Entries = slices.DeleteFunc(slices.Clone(next.Entries), func(o *entry) bool { return byAddress(o.e, like.e) == 0 })
	if r != nil {
		next.Entries = append(next.Entries, r)
	}
	w.store()
	w.Servers = w.Servers.Set(instance, &next)
}

// join is a client of the registry that registers: it may, so the name is not that of
// one project's servers any more. Else whoever announces a name first would share
// what is meant for those who serve under it.
func (w *edit) join() {
	if w.exists() && w.kept.Project != "" {
		w.store().Project = ""
		w.evict()
	}
}

// guests is how many endpoints join would evict.
func (s State) guests() (n int) {
	if s.kept.Project == "" {
		return 0
	}
	k := *s.kept
	k.Project = ""
	for _, row := range s.Servers.All() {
		if !k.admits(row.Project) {
			n += len(row.Entries)
		}
	}
	return n
}

// hear notes that a server has said something.
func (w *edit) hear(instance string) {
	k := w.store()
	if i := slices.Index(k.Evicted, instance); i >= 0 {
		k.Evicted = slices.Delete(slices.Clone(k.Evicted), i, i+1)
	}
}

// evictions tell servers that what they have said stands no more.
func evictions(s State) []actors.Effect {
	if s.kept == nil {
		return nil
	}
	var effects []actors.Effect
	for _, instance := range s.kept.Evicted {
		if g, ok := s.Graves.Get(instance); ok {
			effects = append(effects, announced(s.kept.ID, instance, g.Order, g.Why))
		}
	}
	return effects
}

// evict dismisses the servers of projects that have no place here any more, and
// tells them.
func (w *edit) evict() {
	for instance, row := range w.Servers.All() {
		if w.kept.admits(row.Project) {
			continue
		}
		k := w.store()
		k.Evicted = append(slices.Clone(k.Evicted), instance)
		w.dismiss(instance)
		const why = "others have registered under this name, or its metadata name other projects"
		w.Graves = w.Graves.Bury(actors.Grave{ID: instance, At: w.in.Now, Order: row.Seq, Why: why})
		w.effects = append(w.effects, announced(w.in.ID, instance, row.Seq, why))
	}
}

// Announced is what servers have announced here, by instance, in the order of cluster,
// address and port: for invariants in tests.
func (s State) Announced() map[string][]*messages.Endpoint {
	all := map[string][]*messages.Endpoint{}
	for id, row := range s.Servers.All() {
		for _, r := range row.Entries {
			all[id] = append(all[id], r.e)
		}
		slices.SortFunc(all[id], byAddress)
	}
	return all
}
