// Package imageformat owns the answer to "what is this disk image really?". It
// looks at files that strangers uploaded before any qemu-img or QEMU does, reads
// a bounded number of bytes, and refuses whatever could make a later reader open
// another file: backing files, external data files, parents, foreign extents,
// and content that is something other than was declared. It converts nothing,
// stores nothing and never trusts a length it has not compared with the file's.
package imageformat

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// Format is a disk format under the name that the image API gives it.
type Format string

// The formats that may be stored. Only raw and qcow2 can boot.
const (
	Raw   Format = "raw"
	QCOW2 Format = "qcow2"
	VMDK  Format = "vmdk"
	VHD   Format = "vhd"
	VHDX  Format = "vhdx"
	VDI   Format = "vdi"
	ISO   Format = "iso"
)

// Limits of one inspection.
const (
	MaxVirtualBytes    = 1 << 50   // 1 PiB: a larger disk is taken for an attack
	maxInspectionBytes = 16 << 20  // read in all from one image
	maxL1Entries       = 1 << 20   // of a qcow2: 8 MiB of table
	maxExtensions      = 64        // header extensions of a qcow2
	maxDescriptorBytes = 256 << 10 // of a VMDK
	maxRegionEntries   = 2047      // of a VHDX, as its specification says
)

const sector = 512

// Report is what was found out about an image that was not refused.
type Report struct {
	Format       Format
	VirtualBytes int64 // size of the disk a guest would see
}

// Formats lists the names that Check takes for declared.
func Formats() []Format { return []Format{Raw, QCOW2, VMDK, VHD, VHDX, VDI, ISO} }

// Bootable says whether a machine can be built from an image of format f.
func Bootable(f Format) bool { return f == Raw || f == QCOW2 }

// parsers look deeper at the formats that can point elsewhere.
var parsers = map[Format]func(*window) (int64, error){
	Raw:   wholeFile,
	ISO:   wholeFile,
	QCOW2: qcow2,
	VMDK:  vmdk,
	VHD:   vhd,
	VHDX:  vhdx,
	VDI:   vdi,
}

// Check inspects the size bytes of r, which somebody declared to be of the given
// format. Every refusal wraps messages.Invalid; an error of r is passed on.
func Check(r io.ReaderAt, size int64, declared Format) (Report, error) {
	parse, ok := parsers[declared]
	if !ok {
		return Report{}, fmt.Errorf("disk format %q is not one of %v: %w", declared, Formats(), messages.Invalid)
	}
	if size <= 0 {
		return Report{}, fmt.Errorf("the image is empty: %w", messages.Invalid)
	}
	w := &window{r: r, size: size, left: maxInspectionBytes}
	found, err := signatures(w)
	if err != nil {
		return Report{}, err
	}
	if err := honest(declared, found); err != nil {
		return Report{}, err
	}
	virtual, err := parse(w)
	if err != nil {
		return Report{}, err
	}
	if virtual <= 0 || virtual > MaxVirtualBytes {
		return Report{}, fmt.Errorf("the image claims a disk of %d bytes; 1 to %d are possible: %w",
			uint64(virtual), int64(MaxVirtualBytes), messages.Invalid)
	}
	return Report{Format: declared, VirtualBytes: virtual}, nil
}

// honest compares the declared format with the names of all the formats whose
// mark the content bears. One content, one meaning: what two readers would
// understand differently is refused even if one of the meanings was declared.
func honest(declared Format, found []string) error {
	if len(found) > 1 {
		return fmt.Errorf("the content bears the marks of several formats at once (%s): %w",
			strings.Join(found, ", "), messages.Invalid)
	}
	if declared == Raw && len(found) == 1 {
		return fmt.Errorf("the image is declared raw, but its content is %s: %w", found[0], messages.Invalid)
	}
	if declared != Raw && !slices.Contains(found, string(declared)) {
		is := "raw or unknown"
		if len(found) > 0 {
			is = found[0]
		}
		return fmt.Errorf("the image is declared %s, but its content is %s: %w", declared, is, messages.Invalid)
	}
	return nil
}

// wholeFile is the disk of formats without a header: the file, in full sectors.
func wholeFile(w *window) (int64, error) {
	return (w.size + sector - 1) / sector * sector, nil
}
