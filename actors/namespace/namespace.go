// Package namespace decides what one namespace of the registry and the
// configuration is called. What is in a namespace knows nothing of it: services and
// configs may stand in one that nobody has made, and stay when it is deleted.
package namespace

import (
	"fmt"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is the namespace's id.
const Kind = "namespace"

// Public is the namespace that is always there, made by nobody; an empty id means it.
const Public = "public"

// IndexPrefix is what the index entries of namespaces begin with, followed by the
// id; their values are marshalled messages.Namespace. Public has no entry.
const IndexPrefix = "namespace/"

// Types of namespaces, as Nacos counts them.
const (
	TypePublic = 0
	TypeMade   = 1
)

// Limits of one namespace (Nacos' own, but for the description's, which is as long
// as its column).
const (
	MaxIDBytes          = 64
	MaxNameRunes        = 256
	MaxDescriptionRunes = 256

	// DefaultQuota is how many configs a namespace is said to take; nothing enforces it.
	DefaultQuota = 200
)

// State is one namespace; its zero value is one that nobody has made.
type State struct {
	Made  bool                `json:",omitempty"`
	Shown *messages.Namespace `json:",omitempty"` // replaced, never changed
}

// ID is the namespace that s means: Public for "".
func ID(s string) string {
	if s == "" {
		return Public
	}
	return s
}

// Ref is the grain of a namespace.
func Ref(id string) actors.Ref { return actors.Ref{Kind: Kind, ID: ID(id)} }

// CheckID refuses with Invalid what cannot be the id of a namespace: 1 to 64
// letters, digits, hyphens and low lines.
func CheckID(id string) error {
	if id == "" || len(id) > MaxIDBytes {
		return fmt.Errorf("the id of a namespace has 1 to %d characters: %w", MaxIDBytes, messages.Invalid)
	}
	for i := range len(id) {
		if c := id[i]; !letterOrDigit(c) && c != '-' && c != '_' {
			return fmt.Errorf("the id of a namespace has letters, digits, - and _ only: %w", messages.Invalid)
		}
	}
	return nil
}

func letterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// checkText refuses what is too long or no UTF-8.
func checkText(what, s string, limit int) error {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > limit {
		return fmt.Errorf("the %s of a namespace has at most %d characters of UTF-8: %w", what, limit, messages.Invalid)
	}
	return nil
}

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{Name: Kind, Step: Step, Index: index}.Kind()
}

func index(s State) []actors.Entry {
	if !s.Made {
		return nil
	}
	return []actors.Entry{{Key: IndexPrefix + actors.Escape(s.Shown.Id), View: s.Shown}}
}
