//go:build !cgo || nolibvirt

package libvirt

import (
	"context"
	"fmt"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// Driver is absent from this build.
type Driver struct{ drivers.Driver }

var errAbsent = fmt.Errorf("this build of troupe has no libvirt driver (it was built without cgo, or with the tag nolibvirt): %w", messages.Unavailable)

// New says that this build has no libvirt driver.
func New(context.Context, Config) (*Driver, error) { return nil, errAbsent }

// Probe says that this build has no libvirt driver.
func Probe(string) error { return errAbsent }
