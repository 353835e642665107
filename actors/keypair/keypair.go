// Package keypair decides which public keys a user has put by, under which
// names. It never sees a private key: whoever makes one hands it to the user and
// forgets it. Servers keep a copy of the key they were made with.
package keypair

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is the user's id.
const Kind = "keypair"

// IndexPrefix is what the index entries of keypairs begin with, followed by the
// user, a slash and the name; their values are marshalled messages.Keypair.
const IndexPrefix = "keypair/"

// Limits of one keypair and of one user, whatever the quota says.
const (
	MaxPublicKeyBytes = 16384
	MaxNameRunes      = 255
	MaxKeypairs       = 1000
)

// State is one user's keypairs.
type State struct {
	User     string            // set with the first key
	Numbered int64             // how many were ever made: a number is not given twice
	Keys     actors.Table[Key] `json:"-"` // by name
}

// Key is the public half of one keypair.
type Key struct {
	Number, CreatedAt                  int64 // CreatedAt: Unix nanoseconds
	Name, Type, PublicKey, Fingerprint string
}

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{
		Name: Kind,
		Step: Step,
		Tables: func(s *State) map[string]actors.Rows {
			return map[string]actors.Rows{"keys": &s.Keys}
		},
		Index: index,
	}.Kind()
}

// Step decides what a message means for a user's keypairs.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.Activated, *messages.Nudged:
		return s, nil, nil
	case *messages.CreateKeypair:
		return create(s, in, m)
	case *messages.DeleteKeypair:
		if _, ok := s.Keys.Get(m.Name); !ok {
			return s, nil, absent(m.Name, in.ID)
		}
		s.Keys = s.Keys.Delete(m.Name)
		return s, nil, nil
	case *messages.GetKeypair:
		k, ok := s.Keys.Get(m.Name)
		if !ok {
			return s, nil, absent(m.Name, in.ID)
		}
		return s, []actors.Effect{actors.Reply{Message: view(in.ID, k)}}, nil
	}
	return s, nil, fmt.Errorf("keypairs cannot take %T: %w", in.Message, messages.Invalid)
}

func absent(name, user string) error {
	return fmt.Errorf("keypair %s not found for user %s: %w", name, user, messages.NotFound)
}

func create(s State, in actors.Input, m *messages.CreateKeypair) (State, []actors.Effect, error) {
	if m.Name == "" || utf8.RuneCountInString(m.Name) > MaxNameRunes {
		return s, nil, fmt.Errorf("the name of a keypair has 1 to %d characters: %w", MaxNameRunes, messages.Invalid)
	}
	if _, taken := s.Keys.Get(m.Name); taken {
		return s, nil, fmt.Errorf("key pair '%s' already exists: %w", m.Name, messages.Conflict)
	}
	if n := s.Keys.Len(); n >= MaxKeypairs || m.Limit >= 0 && int64(n) >= m.Limit {
		return s, nil, fmt.Errorf("quota exceeded, too many key pairs: %w", messages.Exhausted)
	}
	kind := m.Type
	if kind == "" {
		kind = SSH
	}
	fingerprint, err := Fingerprint(kind, m.PublicKey)
	if err != nil {
		return s, nil, err
	}
	s.User, s.Numbered = in.ID, s.Numbered+1
	k := Key{
		Number: s.Numbered, CreatedAt: in.Now.UnixNano(),
		Name: m.Name, Type: kind, PublicKey: m.PublicKey, Fingerprint: fingerprint,
	}
	s.Keys = s.Keys.Set(k.Name, k)
	return s, []actors.Effect{actors.Reply{Message: view(in.ID, k)}}, nil
}

func view(user string, k Key) *messages.Keypair {
	return &messages.Keypair{
		Name: k.Name, Type: k.Type, PublicKey: k.PublicKey, Fingerprint: k.Fingerprint,
		UserId: user, CreatedAt: k.CreatedAt, Number: k.Number,
	}
}

func index(s State) []actors.Entry {
	entries := make([]actors.Entry, 0, s.Keys.Len())
	for name, k := range s.Keys.All() {
		value, err := proto.MarshalOptions{Deterministic: true}.Marshal(view(s.User, k))
		if err != nil {
			panic(fmt.Sprintf("keypair %q cannot be encoded: %v", name, err)) // it came out of a message
		}
		entries = append(entries, actors.Entry{
			Key:   IndexPrefix + actors.Escape(s.User) + "/" + actors.Escape(name),
			Value: value,
		})
	}
	return entries
}
