package imageformat

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

// Disk types of a VHD footer (Microsoft's "Virtual Hard Disk Image Format").
const (
	vhdFixed   = 2
	vhdDynamic = 3
)

const (
	vhdHeaderBytes   = 1024
	vhdParentID      = 40 // 16 bytes of the dynamic header
	vhdParentName    = 64 // 512 bytes of UTF-16
	vhdLocators      = 576
	vhdLocatorsBytes = 8 * 24
)

// vhd refuses differencing disks, and copies of the footer that disagree.
func vhd(w *window) (int64, error) {
	tail, err := footer(w)
	if err != nil {
		return 0, err
	}
	if len(tail) < sector || string(tail[:8]) != "conectix" {
		return 0, fmt.Errorf("the VHD is cut off: it has no footer: %w", messages.Invalid)
	}
	kind, size := binary.BigEndian.Uint32(tail[60:]), binary.BigEndian.Uint64(tail[48:])
	if kind != vhdFixed && kind != vhdDynamic {
		return 0, fmt.Errorf("a VHD of type %d is not self-contained; fixed and dynamic ones are: %w", kind, messages.Invalid)
	}
	if size > MaxVirtualBytes {
		return 0, fmt.Errorf("the VHD claims a disk of %d bytes: %w", size, messages.Invalid)
	}
	if kind == vhdFixed {
		return int64(size), vhdFixedFits(w, size)
	}
	head, err := w.at("VHD footer copy", 0, sector)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(head, tail) {
		return 0, fmt.Errorf("the two footers of the VHD contradict each other: %w", messages.Invalid)
	}
	return int64(size), vhdDynamicHeader(w, binary.BigEndian.Uint64(tail[16:]))
}

// vhdFixedFits: the disk is the file without its footer, and has no other head.
func vhdFixedFits(w *window, size uint64) error {
	if size > uint64(w.size-sector) {
		return fmt.Errorf("the VHD is cut off: %w", messages.Invalid)
	}
	head, err := w.prefix(8)
	if err != nil {
		return err
	}
	if string(head) == "conectix" && w.size > sector {
		return fmt.Errorf("the VHD is fixed at its end and dynamic at its beginning: %w", messages.Invalid)
	}
	return nil
}

func vhdDynamicHeader(w *window, off uint64) error {
	b, err := w.at("VHD header", off, vhdHeaderBytes)
	if err != nil {
		return err
	}
	if string(b[:8]) != "cxsparse" {
		return fmt.Errorf("the VHD has no header where it should have one: %w", messages.Invalid)
	}
	if !zero(b[vhdParentID:vhdParentID+16]) || !zero(b[vhdParentName:vhdParentName+512]) ||
		!zero(b[vhdLocators:vhdLocators+vhdLocatorsBytes]) {
		return fmt.Errorf("the VHD has a parent: %w", messages.Invalid)
	}
	return nil
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
