package imageformat

import (
	"encoding/binary"
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

// Incompatible features of a qcow2 version 3 header (docs/interop/qcow2.rst of
// QEMU). A reader must not open an image with a bit it does not know.
const (
	qcow2Dirty        = 1 << 0 // reference counts may be wrong: harmless to a reader
	qcow2Corrupt      = 1 << 1
	qcow2DataFile     = 1 << 2 // the data is in another file
	qcow2Compression  = 1 << 3
	qcow2ExtendedL2   = 1 << 4
	qcow2Known        = qcow2Dirty | qcow2Corrupt | qcow2DataFile | qcow2Compression | qcow2ExtendedL2
	qcow2HeaderV2     = 72
	qcow2HeaderV3     = 104
	qcow2MinBits      = 9
	qcow2MaxBits      = 21
	qcow2OffsetMask   = 0x00fffffffffffe00 // of an L1 entry
	qcow2MaxRefOrder  = 6
	qcow2NoEncryption = 0
)

// Types of header extensions that are refused.
const (
	extensionDataFile = 0x44415441 // "DATA": name of an external data file
	extensionCrypto   = 0x0537be77
	extensionBacking  = 0xe2792aca
)

type qcow2Header struct {
	version, clusterBits   uint32
	backingOffset          uint64
	backingBytes           uint32
	virtual                uint64
	crypt, l1Entries       uint32
	l1Offset, refOffset    uint64
	refClusters, snapshots uint32
	incompatible           uint64
	refOrder, length       uint32
	compression            byte
}

func (h qcow2Header) cluster() uint64 { return 1 << h.clusterBits }

// qcow2 refuses an image that points at other files or that a reader would have
// to repair, and answers the size of its disk.
func qcow2(w *window) (int64, error) {
	h, err := readQCOW2(w)
	if err != nil {
		return 0, err
	}
	for _, check := range []func(*window, qcow2Header) error{
		qcow2Outside, qcow2Features, qcow2Extensions, qcow2Tables,
	} {
		if err := check(w, h); err != nil {
			return 0, err
		}
	}
	return int64(h.virtual), nil
}

func readQCOW2(w *window) (qcow2Header, error) {
	b, err := w.at("qcow2 header", 0, qcow2HeaderV2)
	if err != nil {
		return qcow2Header{}, err
	}
	be := binary.BigEndian
	h := qcow2Header{
		version: be.Uint32(b[4:]), backingOffset: be.Uint64(b[8:]), backingBytes: be.Uint32(b[16:]),
		clusterBits: be.Uint32(b[20:]), virtual: be.Uint64(b[24:]), crypt: be.Uint32(b[32:]),
		l1Entries: be.Uint32(b[36:]), l1Offset: be.Uint64(b[40:]), refOffset: be.Uint64(b[48:]),
		refClusters: be.Uint32(b[56:]), snapshots: be.Uint32(b[60:]),
		refOrder: 4, length: qcow2HeaderV2,
	}
	if h.version != 2 && h.version != 3 {
		return h, fmt.Errorf("qcow2 version %d is not supported, only 2 and 3: %w", h.version, messages.Invalid)
	}
	if h.clusterBits < qcow2MinBits || h.clusterBits > qcow2MaxBits {
		return h, fmt.Errorf("the qcow2 image has clusters of 2^%d bytes; 2^%d to 2^%d are allowed: %w",
			h.clusterBits, qcow2MinBits, qcow2MaxBits, messages.Invalid)
	}
	if h.version == 3 {
		err = readQCOW2v3(w, &h)
	}
	return h, err
}

// readQCOW2v3 adds what only version 3 has.
func readQCOW2v3(w *window, h *qcow2Header) error {
	b, err := w.at("qcow2 header", 0, qcow2HeaderV3)
	if err != nil {
		return err
	}
	h.incompatible = binary.BigEndian.Uint64(b[72:])
	h.refOrder = binary.BigEndian.Uint32(b[96:])
	h.length = binary.BigEndian.Uint32(b[100:])
	if h.length < qcow2HeaderV3 || h.length%8 != 0 || uint64(h.length) > h.cluster() {
		return fmt.Errorf("the qcow2 header has an impossible length of %d bytes: %w", h.length, messages.Invalid)
	}
	if h.length > qcow2HeaderV3 {
		b, err := w.at("qcow2 header", qcow2HeaderV3, 1)
		if err != nil {
			return err
		}
		h.compression = b[0]
	}
	return nil
}

// qcow2Outside refuses what makes a reader open another file, or ask for a key.
func qcow2Outside(_ *window, h qcow2Header) error {
	switch {
	case h.backingOffset != 0 || h.backingBytes != 0:
		return fmt.Errorf("the qcow2 image has a backing file: %w", messages.Invalid)
	case h.incompatible&qcow2DataFile != 0:
		return fmt.Errorf("the qcow2 image has an external data file: %w", messages.Invalid)
	case h.crypt != qcow2NoEncryption:
		return fmt.Errorf("the qcow2 image is encrypted: %w", messages.Invalid)
	case h.snapshots != 0:
		return fmt.Errorf("the qcow2 image has %d internal snapshots; convert it to one without: %w",
			h.snapshots, messages.Invalid)
	}
	return nil
}

func qcow2Features(_ *window, h qcow2Header) error {
	switch {
	case h.virtual > MaxVirtualBytes:
		return fmt.Errorf("the qcow2 image claims a disk of %d bytes; %d are possible: %w",
			h.virtual, int64(MaxVirtualBytes), messages.Invalid)
	case h.incompatible&^qcow2Known != 0:
		return fmt.Errorf("the qcow2 image needs unknown features (bits %#x): %w",
			h.incompatible&^qcow2Known, messages.Invalid)
	case h.incompatible&qcow2Corrupt != 0:
		return fmt.Errorf("the qcow2 image is marked corrupt: %w", messages.Invalid)
	case h.compression > 1 || (h.compression != 0) != (h.incompatible&qcow2Compression != 0):
		return fmt.Errorf("the qcow2 image has an unknown compression type %d: %w", h.compression, messages.Invalid)
	case h.refOrder > qcow2MaxRefOrder:
		return fmt.Errorf("the qcow2 image has a reference count order of %d: %w", h.refOrder, messages.Invalid)
	}
	return nil
}

// qcow2Extensions walks the header extensions, which end inside the first
// cluster. Unknown ones are compatible by definition.
func qcow2Extensions(w *window, h qcow2Header) error {
	off, end := uint64(h.length), h.cluster()
	for n := 0; off+8 <= end; n++ {
		if n == maxExtensions {
			return fmt.Errorf("the qcow2 image has more than %d header extensions: %w", maxExtensions, messages.Invalid)
		}
		b, err := w.at("qcow2 header extension", off, 8)
		if err != nil {
			return err
		}
		kind, length := binary.BigEndian.Uint32(b), uint64(binary.BigEndian.Uint32(b[4:]))
		switch kind {
		case 0:
			return nil
		case extensionDataFile:
			return fmt.Errorf("the qcow2 image names an external data file: %w", messages.Invalid)
		case extensionBacking:
			return fmt.Errorf("the qcow2 image names the format of a backing file: %w", messages.Invalid)
		case extensionCrypto:
			return fmt.Errorf("the qcow2 image is encrypted: %w", messages.Invalid)
		}
		off += 8 + (length+7)/8*8
		if off > end {
			return fmt.Errorf("a header extension of the qcow2 image leaves the first cluster: %w", messages.Invalid)
		}
	}
	return nil
}

// qcow2Tables sees that the tables lie in the file, so that a cut-off upload is
// found now and not when a machine boots from it.
func qcow2Tables(w *window, h qcow2Header) error {
	perL2 := h.cluster() / 8
	if h.incompatible&qcow2ExtendedL2 != 0 {
		perL2 /= 2
	}
	covered := h.cluster() * perL2
	if h.l1Entries > maxL1Entries || uint64(h.l1Entries) < (h.virtual+covered-1)/covered {
		return fmt.Errorf("the qcow2 image has an L1 table of %d entries, which does not fit its disk: %w",
			h.l1Entries, messages.Invalid)
	}
	if h.l1Offset%h.cluster() != 0 || h.refOffset%h.cluster() != 0 || h.refOffset == 0 ||
		!w.holds(h.refOffset, uint64(h.refClusters)*h.cluster()) {
		return fmt.Errorf("the tables of the qcow2 image lie outside the file: %w", messages.Invalid)
	}
	l1, err := w.at("L1 table", h.l1Offset, int64(h.l1Entries)*8)
	if err != nil {
		return err
	}
	for i := 0; i < len(l1); i += 8 {
		off := binary.BigEndian.Uint64(l1[i:]) & qcow2OffsetMask
		if off%h.cluster() != 0 || !w.holds(off, h.cluster()) {
			return fmt.Errorf("the image is cut off or corrupt: an L2 table lies outside the file: %w", messages.Invalid)
		}
	}
	return nil
}
