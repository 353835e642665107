//go:build cgo && !nolibvirt

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	lv "libvirt.org/go/libvirt"

	"github.com/troupe-cloud/troupe/messages"
)

func TestWrap(t *testing.T) {
	for name, tt := range map[string]struct {
		err, want error
	}{
		"no domain":       {lv.Error{Code: lv.ERR_NO_DOMAIN, Message: "none"}, messages.NotFound},
		"broken pipe":     {lv.Error{Code: lv.ERR_SYSTEM_ERROR, Domain: lv.FROM_RPC}, messages.Unavailable},
		"socket closed":   {lv.Error{Code: lv.ERR_INTERNAL_ERROR, Domain: lv.FROM_RPC}, messages.Unavailable},
		"changed":         {lv.Error{Code: lv.ERR_OPERATION_INVALID}, messages.Unavailable},
		"memory":          {lv.Error{Code: lv.ERR_INTERNAL_ERROR, Message: "cannot set up guest memory 'pc.ram': Cannot allocate memory"}, messages.Exhausted},
		"disk":            {lv.Error{Code: lv.ERR_SYSTEM_ERROR, Message: "write: No space left on device"}, messages.Exhausted},
		"ENOSPC":          {fmt.Errorf("mkdir: %w", syscall.ENOSPC), messages.Exhausted},
		"unsupported":     {lv.Error{Code: lv.ERR_CONFIG_UNSUPPORTED}, messages.Invalid},
		"QEMU broke":      {lv.Error{Code: lv.ERR_INTERNAL_ERROR, Message: "qemu unexpectedly closed the monitor"}, messages.Internal},
		"ours":            {fmt.Errorf("older: %w", messages.Conflict), messages.Conflict},
		"ours, and more":  {errors.Join(fmt.Errorf("no: %w", messages.Exhausted), errors.New("x")), messages.Exhausted},
		"cancelled":       {context.Canceled, messages.Unavailable},
		"out of time":     {fmt.Errorf("x: %w", context.DeadlineExceeded), messages.Unavailable},
		"nothing at all":  {nil, nil},
		"any other error": {errors.New("x"), messages.Internal},
	} {
		err := wrap("stop domain", "ID", tt.err)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "stop domain ID: ") || strings.Contains(err.Error(), "virError")) {
			t.Errorf("%s: sentence %q", name, err)
		}
	}
}
