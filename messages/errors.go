// Package messages owns the wire contract: what proto/ generates, the kinds of
// error that a message may be refused with, and how both cross a process
// boundary. It decides nothing.
package messages

import (
	"context"
	"errors"
)

// The kinds of refusal. Wrap one with a sentence written for the caller:
//
//	fmt.Errorf("project %s has %d of %d servers: %w", p, used, limit, messages.Exhausted)
//
// Branch with errors.Is, never on the text. An error that wraps none of them is
// ours: the caller sees "internal error" and the request id.
var (
	Invalid     error = kindError("invalid")
	NotFound    error = kindError("not found")
	Conflict    error = kindError("conflict")
	Exhausted   error = kindError("exhausted")
	Denied      error = kindError("denied")
	Unavailable error = kindError("unavailable") // nothing was decided: try again
	Internal    error = kindError("internal")
)

type kindError string

func (k kindError) Error() string { return string(k) }

var kinds = []struct {
	code ErrorKind
	err  error
}{
	{ErrorKind_ERROR_KIND_INVALID, Invalid},
	{ErrorKind_ERROR_KIND_NOT_FOUND, NotFound},
	{ErrorKind_ERROR_KIND_CONFLICT, Conflict},
	{ErrorKind_ERROR_KIND_EXHAUSTED, Exhausted},
	{ErrorKind_ERROR_KIND_DENIED, Denied},
	{ErrorKind_ERROR_KIND_UNAVAILABLE, Unavailable},
	{ErrorKind_ERROR_KIND_INTERNAL, Internal},
}

// KindOf is the wire code of err: NONE for nil, INTERNAL for an error that
// wraps no kind. An expired or cancelled context counts as UNAVAILABLE.
func KindOf(err error) ErrorKind {
	if err == nil {
		return ErrorKind_ERROR_KIND_NONE
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.code
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return ErrorKind_ERROR_KIND_UNAVAILABLE
	}
	return ErrorKind_ERROR_KIND_INTERNAL
}

// Refusal is an error that came over the wire: a kind and its sentence.
type Refusal struct {
	Kind     error
	Sentence string
}

func (r *Refusal) Error() string { return r.Sentence }
func (r *Refusal) Unwrap() error { return r.Kind }

// Refused makes the error that code and sentence stand for; nil for NONE.
func Refused(code ErrorKind, sentence string) error {
	for _, k := range kinds {
		if k.code == code {
			return &Refusal{Kind: k.err, Sentence: sentence}
		}
	}
	if code == ErrorKind_ERROR_KIND_NONE {
		return nil
	}
	return &Refusal{Kind: Internal, Sentence: sentence}
}

// Sentence is what a caller may read of err: the text without the kind's word
// at its end. An error of no kind of ours yields "internal error".
func Sentence(err error) string {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Sentence
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			s, tail := err.Error(), ": "+k.err.Error()
			if len(s) > len(tail) && s[len(s)-len(tail):] == tail {
				s = s[:len(s)-len(tail)]
			}
			return s
		}
	}
	if KindOf(err) == ErrorKind_ERROR_KIND_UNAVAILABLE {
		return "the request ran out of time"
	}
	return "internal error"
}
