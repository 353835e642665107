package imageformat

import (
	"encoding/binary"
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

// Layout of a VHDX ([MS-VHDX]).
const (
	vhdxRegions       = 192 << 10 // the first of two region tables
	vhdxRegionsCopy   = 256 << 10
	vhdxTableHead     = 16
	vhdxMetadataHead  = 32
	vhdxEntryBytes    = 32
	vhdxMetadataItems = 2047
	vhdxHasParent     = 1 << 1
)

// Identifiers, in the byte order of the file.
const (
	vhdxMetadataRegion = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e"
	vhdxFileParameters = "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b"
	vhdxDiskSize       = "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8"
	vhdxParentLocator  = "\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c"
)

// vhdx refuses disks with a parent. Both region tables have to lead to
// metadata that says so, for a reader may use either.
func vhdx(w *window) (int64, error) {
	var sizes [2]uint64
	for i, off := range []uint64{vhdxRegions, vhdxRegionsCopy} {
		region, err := vhdxRegion(w, off)
		if err != nil {
			return 0, err
		}
		if sizes[i], err = vhdxMetadata(w, region); err != nil {
			return 0, err
		}
	}
	if sizes[0] != sizes[1] || sizes[0] > MaxVirtualBytes {
		return 0, fmt.Errorf("the VHDX claims disks of %d and of %d bytes: %w", sizes[0], sizes[1], messages.Invalid)
	}
	return int64(sizes[0]), nil
}

// vhdxRegion is where the metadata begins, according to the table at off.
func vhdxRegion(w *window, off uint64) (uint64, error) {
	head, err := w.at("VHDX region table", off, vhdxTableHead)
	if err != nil {
		return 0, err
	}
	count := binary.LittleEndian.Uint32(head[8:])
	if string(head[:4]) != "regi" || count > maxRegionEntries {
		return 0, fmt.Errorf("the VHDX has no region table where it should have one: %w", messages.Invalid)
	}
	table, err := w.at("VHDX region table", off+vhdxTableHead, int64(count)*vhdxEntryBytes)
	if err != nil {
		return 0, err
	}
	found := uint64(0)
	for ; len(table) > 0; table = table[vhdxEntryBytes:] {
		if string(table[:16]) != vhdxMetadataRegion {
			continue
		}
		if found != 0 {
			return 0, fmt.Errorf("the VHDX has two metadata regions: %w", messages.Invalid)
		}
		found = binary.LittleEndian.Uint64(table[16:])
	}
	if found == 0 {
		return 0, fmt.Errorf("the VHDX has no metadata: %w", messages.Invalid)
	}
	return found, nil
}

// vhdxMetadata is the size of the disk that the metadata at off describes.
func vhdxMetadata(w *window, off uint64) (uint64, error) {
	head, err := w.at("VHDX metadata", off, vhdxMetadataHead)
	if err != nil {
		return 0, err
	}
	count := binary.LittleEndian.Uint16(head[10:])
	if string(head[:8]) != "metadata" || count > vhdxMetadataItems {
		return 0, fmt.Errorf("the VHDX has no metadata where it should have some: %w", messages.Invalid)
	}
	table, err := w.at("VHDX metadata", off+vhdxMetadataHead, int64(count)*vhdxEntryBytes)
	if err != nil {
		return 0, err
	}
	size, parameters := uint64(0), false
	for ; len(table) > 0; table = table[vhdxEntryBytes:] {
		at := off + uint64(binary.LittleEndian.Uint32(table[16:]))
		switch string(table[:16]) {
		case vhdxParentLocator:
			return 0, fmt.Errorf("the VHDX names a parent: %w", messages.Invalid)
		case vhdxFileParameters:
			b, err := w.at("VHDX file parameters", at, 8)
			if err != nil {
				return 0, err
			}
			if binary.LittleEndian.Uint32(b[4:])&vhdxHasParent != 0 {
				return 0, fmt.Errorf("the VHDX has a parent: %w", messages.Invalid)
			}
			parameters = true
		case vhdxDiskSize:
			b, err := w.at("VHDX disk size", at, 8)
			if err != nil {
				return 0, err
			}
			size = binary.LittleEndian.Uint64(b)
		}
	}
	if !parameters {
		return 0, fmt.Errorf("the VHDX has no file parameters: %w", messages.Invalid)
	}
	return size, nil
}
