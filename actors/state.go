package actors

import "time"

// State is one immutable state of a grain.
type State struct {
	value     value // nil: the zero one
	encoded   []byte
	unsettled bool
	kept      bool
	wake      time.Time
}

// Encoded is the state as it is stored, without its tables.
func (s State) Encoded() []byte { return s.encoded }

// Unsettled says whether work is outstanding.
func (s State) Unsettled() bool { return s.unsettled }

// Wake is when the grain wants to be woken; zero: never.
func (s State) Wake() time.Time { return s.wake }

// Value is the kind's own state value, for invariants in tests.
func (s State) Value() any {
	if s.value == nil {
		return nil
	}
	return s.value.copied()
}

// value is a *box. States are large: one is allocated once, when it is complete.
type value interface{ copied() any }

// box holds an S that is not changed any more.
type box[S any] struct{ s S }

func (b *box[S]) copied() any { return b.s }

// of is the S that v holds.
func of[S any](v value) (s S, ok bool) {
	b, ok := v.(*box[S])
	if ok {
		s = b.s
	}
	return s, ok
}
