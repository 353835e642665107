package imageformat

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// signature is the mark by which readers of images recognise a format.
type signature struct {
	format string
	offset uint64
	magic  string
}

// marks holds what QEMU and other readers look for (QEMU's block drivers and
// the formats' specifications), and the compressed files people upload by
// mistake. Formats without a constant of ours are recognised to be refused.
var marks = []signature{
	{string(QCOW2), 0, "QFI\xfb"},
	{string(VMDK), 0, "KDMV"},
	{string(VMDK), 0, "COWD"},
	{string(VHD), 0, "conectix"},
	{string(VHDX), 0, "vhdxfile"},
	{string(VDI), 0x40, "\x7f\x10\xda\xbe"},
	{string(ISO), 0x8001, "CD001"},
	{"qed", 0, "QED\x00"},
	{"luks", 0, "LUKS\xba\xbe"},
	{"parallels", 0, "WithoutFreeSpace"},
	{"parallels", 0, "WithouFreSpacExt"},
	{"bochs", 0, "Bochs Virtual HD Image"},
	{"cow", 0, "OOOM"},
	{"cloop", 0, "#!/bin/sh\n#V2.0 Format\n"},
	{"gzip", 0, "\x1f\x8b\x08"},
	{"xz", 0, "\xfd7zXZ\x00"},
	{"zstd", 0, "\x28\xb5\x2f\xfd"},
	{"bzip2", 0, "BZh"},
}

// compressed bzip2 is followed by a level digit and this block magic.
const bzip2Block = "1AY&SY"

// textProbeBytes is how much of a file is searched for a VMDK descriptor.
const textProbeBytes = 4096

// signatures names every format whose mark the image bears, each once.
func signatures(w *window) ([]string, error) {
	head, err := w.prefix(0x8001 + 5)
	if err != nil {
		return nil, err
	}
	var found []string
	add := func(f string) {
		if !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	for _, m := range marks {
		if m.format == "bzip2" && (len(head) < 10 || string(head[4:10]) != bzip2Block) {
			continue
		}
		if uint64(len(head)) > m.offset && bytes.HasPrefix(head[m.offset:], []byte(m.magic)) {
			add(m.format)
		}
	}
	if isDescriptor(head[:min(len(head), textProbeBytes)]) {
		add(string(VMDK))
	}
	tail, err := footer(w)
	if err != nil {
		return nil, err
	}
	if isFooter(tail) {
		add(string(VHD))
	}
	return found, nil
}

// isDescriptor says whether QEMU would take the text for a VMDK descriptor:
// comment and blank lines, then a version.
func isDescriptor(head []byte) bool {
	if bytes.HasPrefix(bytes.ToLower(head), []byte("# disk descriptorfile")) {
		return true
	}
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		line = bytes.Trim(line, " \t\r")
		if len(line) > 0 && line[0] != '#' {
			return bytes.HasPrefix(line, []byte("version=")) || bytes.HasPrefix(line, []byte("version ="))
		}
		head = rest
	}
	return false
}

// footer is the last sector of the file, where a VHD has its footer (a byte
// later if an old writer made it one byte short); nil if the file is smaller.
func footer(w *window) ([]byte, error) {
	if w.size < sector {
		return nil, nil
	}
	return w.at("last sector", uint64(w.size-sector), sector)
}

// isFooter says whether b is a VHD footer. The checksum is not asked: an
// attacker can leave it wrong, and readers differ in whether they care.
func isFooter(b []byte) bool {
	for _, s := range [][]byte{b, tailFrom(b, 1)} {
		if len(s) > 64 && string(s[:8]) == "conectix" {
			kind := binary.BigEndian.Uint32(s[60:])
			return kind <= 6
		}
	}
	return false
}

func tailFrom(b []byte, n int) []byte {
	if len(b) < n {
		return nil
	}
	return b[n:]
}
