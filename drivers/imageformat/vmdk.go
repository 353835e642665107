package imageformat

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// The hosted sparse extent of VMware's "Virtual Disk Format 5.0".
const (
	vmdkHeaderBytes = 79
	vmdkGDAtEnd     = 1<<64 - 1 // the real header stands at the end of the file
	vmdkFooterBack  = 2 * sector
	vmdkMaxVersion  = 3
	vmdkNoParent    = "ffffffff"
)

// vmdkTypes are the kinds of VMDK that are one file.
var vmdkTypes = map[string]bool{"monolithicsparse": true, "streamoptimized": true}

type vmdkHeader struct {
	version                uint32
	capacity               uint64 // sectors
	descriptor, descLength uint64 // sectors
	directory              uint64
}

// vmdk refuses everything but a single self-contained sparse file.
func vmdk(w *window) (int64, error) {
	head, err := w.prefix(4)
	if err != nil {
		return 0, err
	}
	if string(head) != "KDMV" {
		return 0, fmt.Errorf("the VMDK is a descriptor that names other files, or an old ESX extent: %w", messages.Invalid)
	}
	h, err := readVMDK(w, 0)
	if err != nil {
		return 0, err
	}
	if err := vmdkDescriptor(w, h); err != nil {
		return 0, err
	}
	if h.directory == vmdkGDAtEnd {
		end, err := readVMDK(w, w.size-vmdkFooterBack)
		if err != nil {
			return 0, err
		}
		if end.capacity != h.capacity || end.directory == vmdkGDAtEnd ||
			end.descriptor != h.descriptor || end.descLength != h.descLength {
			return 0, fmt.Errorf("header and footer of the VMDK contradict each other: %w", messages.Invalid)
		}
	}
	return int64(h.capacity * sector), nil
}

func readVMDK(w *window, at int64) (vmdkHeader, error) {
	b, err := w.at("VMDK header", uint64(at), vmdkHeaderBytes)
	if err != nil {
		return vmdkHeader{}, err
	}
	le := binary.LittleEndian
	h := vmdkHeader{version: le.Uint32(b[4:]), capacity: le.Uint64(b[12:]),
		descriptor: le.Uint64(b[28:]), descLength: le.Uint64(b[36:]), directory: le.Uint64(b[56:])}
	switch {
	case string(b[:4]) != "KDMV":
		return h, fmt.Errorf("the VMDK has no header where it should have one: %w", messages.Invalid)
	case h.version < 1 || h.version > vmdkMaxVersion:
		return h, fmt.Errorf("VMDK version %d is not supported: %w", h.version, messages.Invalid)
	case h.capacity == 0 || h.capacity > MaxVirtualBytes/sector:
		return h, fmt.Errorf("the VMDK claims a disk of %d sectors: %w", h.capacity, messages.Invalid)
	case h.descriptor == 0 || h.descriptor > uint64(w.size)/sector:
		return h, fmt.Errorf("the VMDK has no descriptor of its own: %w", messages.Invalid)
	case h.descLength == 0 || h.descLength > maxDescriptorBytes/sector:
		return h, fmt.Errorf("the VMDK has a descriptor of %d sectors: %w", h.descLength, messages.Invalid)
	}
	return h, nil
}

// vmdkDescriptor reads the text inside the file and sees that it names no other.
func vmdkDescriptor(w *window, h vmdkHeader) error {
	text, err := w.at("VMDK descriptor", h.descriptor*sector, int64(h.descLength*sector))
	if err != nil {
		return err
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	kind, extents := "", 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if isExtent(line) {
			extents++
			if err := vmdkExtent(line); err != nil {
				return err
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("the VMDK descriptor has a line that is neither a setting nor an extent: %w", messages.Invalid)
		}
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`))
		switch {
		case key == "createtype":
			if kind != "" && kind != value {
				return fmt.Errorf("the VMDK descriptor has two types: %w", messages.Invalid)
			}
			kind = value
		case key == "parentcid" && value != vmdkNoParent, strings.HasPrefix(key, "parentfilename"):
			return fmt.Errorf("the VMDK has a parent file: %w", messages.Invalid)
		}
	}
	if !vmdkTypes[kind] {
		return fmt.Errorf("a VMDK of type %q is not one self-contained file: %w", kind, messages.Invalid)
	}
	if extents != 1 {
		return fmt.Errorf("the VMDK descriptor names %d extents, not one: %w", extents, messages.Invalid)
	}
	return nil
}

// isExtent says whether a reader would take the line for an extent.
func isExtent(line string) bool {
	access, _, _ := strings.Cut(line, " ")
	access, _, _ = strings.Cut(access, "\t")
	switch strings.ToUpper(access) {
	case "RW", "RDONLY", "NOACCESS":
		return true
	}
	return false
}

// vmdkExtent accepts `RW <sectors> SPARSE "<plain name>"`, the file itself.
func vmdkExtent(line string) error {
	fields := strings.SplitN(line, " ", 4)
	if len(fields) != 4 || fields[2] != "SPARSE" {
		return fmt.Errorf("the VMDK has an extent that is not part of the file: %w", messages.Invalid)
	}
	if _, err := strconv.ParseUint(fields[1], 10, 63); err != nil {
		return fmt.Errorf("the VMDK has an extent without a size: %w", messages.Invalid)
	}
	name := strings.Trim(fields[3], `"`)
	if name == "" || strings.ContainsAny(name, "/\\:\"") || strings.HasPrefix(name, ".") {
		return fmt.Errorf("the VMDK has an extent with a path to another file: %w", messages.Invalid)
	}
	return nil
}
