//go:build cgo && !nolibvirt

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	lv "libvirt.org/go/libvirt"

	"github.com/troupe-cloud/troupe/messages"
)

// kindOf is the one table from libvirt's errors to ours. What it does not name is
// Internal.
var kindOf = map[lv.ErrorNumber]error{
	lv.ERR_NO_DOMAIN:            messages.NotFound,
	lv.ERR_NO_CONNECT:           messages.Unavailable,
	lv.ERR_INVALID_CONN:         messages.Unavailable,
	lv.ERR_RPC:                  messages.Unavailable,
	lv.ERR_OPERATION_TIMEOUT:    messages.Unavailable,
	lv.ERR_OPERATION_ABORTED:    messages.Unavailable,
	lv.ERR_RESOURCE_BUSY:        messages.Unavailable,
	lv.ERR_OPERATION_INVALID:    messages.Unavailable, // the domain changed meanwhile
	lv.ERR_AGENT_UNRESPONSIVE:   messages.Unavailable,
	lv.ERR_NO_MEMORY:            messages.Exhausted,
	lv.ERR_CONFIG_UNSUPPORTED:   messages.Invalid,
	lv.ERR_NO_SUPPORT:           messages.Invalid,
	lv.ERR_ARGUMENT_UNSUPPORTED: messages.Invalid,
	lv.ERR_ACCESS_DENIED:        messages.Denied,
	lv.ERR_AUTH_FAILED:          messages.Denied,
	lv.ERR_AUTH_CANCELLED:       messages.Denied,
	lv.ERR_AUTH_UNAVAILABLE:     messages.Denied,
	lv.ERR_OPERATION_DENIED:     messages.Denied,
}

// wrap gives an error its sentence and its kind; nil stays nil.
func wrap(what, id string, err error) error {
	if err == nil {
		return nil
	}
	if id != "" {
		what += " " + id
	}
	if messages.KindOf(err) != messages.ErrorKind_ERROR_KIND_INTERNAL || errors.Is(err, messages.Internal) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%s: %w: %w", what, err, messages.Unavailable)
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, plain(err), kind(err))
}

// plain is err with libvirt's own sentence, instead of its numbers, if it is one
// of libvirt's.
func plain(err error) error {
	if e, ok := err.(lv.Error); ok {
		return errors.New(e.Message)
	}
	return err
}

func kind(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return messages.Exhausted
	}
	var e lv.Error
	if !errors.As(err, &e) {
		return messages.Internal
	}
	if k, ok := kindOf[e.Code]; ok {
		return k
	}
	switch {
	case e.Domain == lv.FROM_RPC || e.Domain == lv.FROM_REMOTE || e.Domain == lv.FROM_POLKIT: // a broken connection comes as an internal or a system error
		return messages.Unavailable
	case noRoom(e.Message), strings.Contains(e.Message, "Cannot allocate memory"), strings.Contains(e.Message, "cannot set up guest memory"):
		return messages.Exhausted
	}
	return messages.Internal
}

// is says whether err is libvirt's error of this number.
func is(err error, code lv.ErrorNumber) bool {
	var e lv.Error
	return errors.As(err, &e) && e.Code == code
}
