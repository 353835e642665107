//go:build cgo && !nolibvirt

package libvirt

import (
	"fmt"
	"sync"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/troupe-cloud/troupe/messages"
)

// startLoop registers libvirt's event loop and runs it, once in a process: the
// library has only one, and it must be there before the first connection.
var startLoop = sync.OnceValue(func() error {
	if err := lv.EventRegisterDefaultImpl(); err != nil { // also where the library is not installed
		return fmt.Errorf("libvirt's client library: %w: %w", err, messages.Unavailable)
	}
	go func() {
		for {
			if lv.EventRunDefaultImpl() != nil {
				time.Sleep(time.Second) // it failed for want of memory or descriptors; nothing can be waited for
			}
		}
	}()
	return nil
})

// Probe tries to connect, and says why if it cannot.
func Probe(uri string) error {
	if err := startLoop(); err != nil {
		return err
	}
	c, err := lv.NewConnect(uri)
	if err != nil {
		return wrap("connect to "+uri, "", err)
	}
	_, err = c.Close()
	return wrap("connect to "+uri, "", err)
}
