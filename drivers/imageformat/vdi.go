package imageformat

import (
	"encoding/binary"
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

// Header of a VDI, version 1.1 (VirtualBox; QEMU's block/vdi.c reads the same).
const (
	vdiHeaderBytes = 512
	vdiVersion     = 0x00010001
	vdiDynamic     = 1
	vdiStatic      = 2
	vdiParentsAt   = 0x1a8 // uuid of the link and of the parent
	vdiParents     = 32
)

// vdi refuses undo and differencing images.
func vdi(w *window) (int64, error) {
	b, err := w.at("VDI header", 0, vdiHeaderBytes)
	if err != nil {
		return 0, err
	}
	le := binary.LittleEndian
	version, kind, size := le.Uint32(b[0x44:]), le.Uint32(b[0x4c:]), le.Uint64(b[0x170:])
	bmap, blocks := le.Uint32(b[0x154:]), le.Uint32(b[0x180:])
	switch {
	case version != vdiVersion:
		return 0, fmt.Errorf("VDI version %#x is not supported: %w", version, messages.Invalid)
	case kind != vdiDynamic && kind != vdiStatic:
		return 0, fmt.Errorf("a VDI of type %d is not self-contained: %w", kind, messages.Invalid)
	case !zero(b[vdiParentsAt : vdiParentsAt+vdiParents]):
		return 0, fmt.Errorf("the VDI has a parent: %w", messages.Invalid)
	case size > MaxVirtualBytes:
		return 0, fmt.Errorf("the VDI claims a disk of %d bytes: %w", size, messages.Invalid)
	case !w.holds(uint64(bmap), uint64(blocks)*4):
		return 0, fmt.Errorf("the VDI is cut off: its block map lies outside the file: %w", messages.Invalid)
	}
	return int64(size), nil
}
