// Package lock decides who holds one mutual exclusion, and until when. Each
// acquisition has a token that is greater than all before it, also over releases
// and moves: whoever guards something with the lock refuses tokens older than one
// that it has seen. It does not know whether an owner is alive.
package lock

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is NAMESPACE@@KEY.
const Kind = "lock"

const separator = "@@"

// Limits of one lock.
const (
	DefaultTTL    = 30 * time.Second // where a client names none
	MinTTL        = time.Millisecond
	MaxTTL        = 30 * time.Minute
	MaxKeyBytes   = 256
	MaxIDBytes    = 460 // of the identity, escaped
	MaxOwnerBytes = 256
)

// ID is the identity of a key's lock; an empty namespace is the public one.
func ID(ns, key string) string { return namespace.ID(ns) + separator + key }

// Ref is the grain of a key's lock.
func Ref(ns, key string) actors.Ref { return actors.Ref{Kind: Kind, ID: ID(ns, key)} }

// Parse reads an identity.
func Parse(id string) (ns, key string, ok bool) {
	ns, key, ok = strings.Cut(id, separator)
	return ns, key, ok && ns != "" && key != ""
}

// CheckKey refuses with Invalid what cannot be locked.
func CheckKey(ns, key string) error {
	if err := namespace.CheckID(namespace.ID(ns)); err != nil {
		return err
	}
	if key == "" || len(key) > MaxKeyBytes || !utf8.ValidString(key) {
		return fmt.Errorf("the key of a lock has 1 to %d bytes of UTF-8: %w", MaxKeyBytes, messages.Invalid)
	}
	if len(actors.Escape(ID(ns, key))) > MaxIDBytes {
		return fmt.Errorf("the namespace and the key of a lock have at most %d bytes when they are escaped: %w", MaxIDBytes, messages.Invalid)
	}
	return nil
}

// State is one lock.
type State struct {
	Token     uint64 `json:",omitempty"` // of the last acquisition; never falls
	Owner     string `json:",omitempty"` // empty: it is free
	ExpiresAt int64  `json:",omitempty"` // Unix nanoseconds; of the owner
}

// held says whether somebody holds the lock at that time.
func (s State) held(now time.Time) bool { return s.Owner != "" && s.ExpiresAt > now.UnixNano() }

// Spec is the kind. A lock wakes when it expires, so that who watches it learns it.
func Spec() actors.Kind {
	return actors.Spec[State]{Name: Kind, Step: Step, Wake: func(s State) (t time.Time) {
		if s.Owner != "" {
			t = time.Unix(0, s.ExpiresAt)
		}
		return t
	}}.Kind()
}
