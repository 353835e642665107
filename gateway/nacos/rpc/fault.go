package rpc

import (
	"errors"
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

// Codes of errors.
const (
	codeInvalid      = 400
	codeDenied       = 403
	codeNotFound     = 404
	codeConflict     = 409
	codeServer       = 500
	codeUnparsable   = 502
	codeOverload     = 503
	codeNotReady     = 300 // also: no such config
	codeUnregistered = 301
	codeNoHandler    = 302

	codeTooManyPatterns = 50310
	codeTooManyMatches  = 50311
)

// fault is an error with a code of the dialect, and maybe with its own words,
// which clients show and some of them compare.
type fault struct {
	code  int
	words string // empty: what err says
	err   error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

var (
	errNoHandler    = &fault{codeNoHandler, "RequestHandler Not Found", messages.NotFound}
	errNotReady     = &fault{codeNotReady, "Server is starting, please try later.", messages.Unavailable}
	errUnregistered = &fault{codeUnregistered, "Connection is unregistered.", messages.Unavailable}
	errBusy         = &fault{codeOverload, "Server is overloaded, please try later.", messages.Exhausted}
	errNoConfig     = &fault{codeNotReady, "config data not exist", messages.NotFound}
	errCAS          = &fault{codeServer, "Cas publish fail, server md5 may have changed.", messages.Conflict}
)

// missing is the refusal of a request without that parameter.
func missing(param string) error {
	return &fault{codeInvalid, "Param '" + param + "' is required.", messages.Invalid}
}

// unparsable is the refusal of what cannot be read.
func unparsable(err error) error { return &fault{code: codeUnparsable, err: err} }

// unknownOp is the refusal of a request that wants to do what there is not.
func unknownOp(op string) error {
	return fmt.Errorf("a request cannot do %q: %w", short(op), messages.Invalid)
}

// codeOf is the code of err: its own, or that of its kind.
func codeOf(err error) int {
	if f := (*fault)(nil); errors.As(err, &f) {
		return f.code
	}
	switch messages.KindOf(err) {
	case messages.ErrorKind_ERROR_KIND_INVALID:
		return codeInvalid
	case messages.ErrorKind_ERROR_KIND_DENIED:
		return codeDenied
	case messages.ErrorKind_ERROR_KIND_NOT_FOUND:
		return codeNotFound
	case messages.ErrorKind_ERROR_KIND_CONFLICT:
		return codeConflict
	case messages.ErrorKind_ERROR_KIND_EXHAUSTED:
		return codeOverload
	case messages.ErrorKind_ERROR_KIND_NONE, messages.ErrorKind_ERROR_KIND_UNAVAILABLE, messages.ErrorKind_ERROR_KIND_INTERNAL:
	}
	return codeServer
}

// sentence is what the caller may read of err; of ours, only that there was one.
func sentence(err error, request string) string {
	if f := (*fault)(nil); errors.As(err, &f) && f.words != "" {
		return f.words
	}
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INTERNAL {
		return "internal error, request " + request
	}
	return messages.Sentence(err)
}
