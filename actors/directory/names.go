package directory

import (
	"fmt"
	"maps"

	"github.com/troupe-cloud/troupe/messages"
)

// What the rows of Names are about. Domains and roles have no domain.
const (
	ofDomain  = "domain"
	ofProject = "project"
	ofUser    = "user"
	ofRole    = "role"
)

// nameKey is where Names keeps the id of what is called name. A domain's id has
// no slash, so no two names share a key.
func nameKey(what, domain, name string) string { return what + "/" + domain + "/" + name }

// named is the id of what is called name in domain.
func (s State) named(what, domain, name string) (string, bool) {
	return s.Names.Get(nameKey(what, domain, name))
}

// claim gives name to id; Conflict if another has it.
func (s State) claim(what, domain, name, id string) (State, error) {
	if has, ok := s.named(what, domain, name); ok && has != id {
		return s, fmt.Errorf("there is already a %s with the name %q: %w", what, name, messages.Conflict)
	}
	s.Names = s.Names.Set(nameKey(what, domain, name), id)
	return s, nil
}

// rename moves id from one name to another; both may be the same.
func (s State) rename(what, domain, from, to, id string) (State, error) {
	if from == to {
		return s, nil
	}
	if err := checkName(what, to); err != nil {
		return s, err
	}
	s, err := s.claim(what, domain, to, id)
	if err == nil {
		s.Names = s.Names.Delete(nameKey(what, domain, from))
	}
	return s, err
}

// merged is extra with more on top; neither is changed.
func merged(extra, more map[string]string) map[string]string {
	if len(more) == 0 {
		return extra
	}
	out := maps.Clone(extra)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}

// set puts *from into *to if from is there.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func absent(what, id string) error {
	return fmt.Errorf("there is no %s %s: %w", what, id, messages.NotFound)
}
