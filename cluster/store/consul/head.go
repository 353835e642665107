package consul

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"

	"github.com/troupe-cloud/troupe/cluster/store"
)

// An entry is: magic, flags, mark, [revision], [parts, length], bytes, checksum.
// Numbers are big-endian; the checksum covers the entry's name too, so that an
// entry copied by hand to another name is noticed.
const (
	magic0, magic1 = 0xa7, 'T'
	formatVersion  = 1

	flagRevision = 1 << 0 // the revision is this one, not Consul's ModifyIndex
	flagParts    = 1 << 1 // the bytes stand in valueFolder under the mark

	markSize  = 16
	prelude   = 4 + markSize
	crcSize   = 4
	extraHead = prelude + 8 + 12 + crcSize // most that an entry adds to its value
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// mark is unique to one write of one process. Consul takes a compare-and-set
// whose value is the stored one for a success of everybody; no two writes have
// the same mark, so no two have the same value.
type mark [markSize]byte

func (m mark) String() string { return hex.EncodeToString(m[:]) }

// head is an entry decoded.
type head struct {
	mark     mark
	revision uint64 // 0: Consul's ModifyIndex
	parts    uint32 // 0: the value is here
	length   uint64 // of the value, if it is in parts
	value    []byte
}

func (h head) encode(name string) []byte {
	b := make([]byte, 0, len(h.value)+extraHead)
	b = append(b, magic0, magic1, formatVersion, 0)
	b = append(b, h.mark[:]...)
	if h.revision != 0 {
		b[3] |= flagRevision
		b = binary.BigEndian.AppendUint64(b, h.revision)
	}
	if h.parts != 0 {
		b[3] |= flagParts
		b = binary.BigEndian.AppendUint32(b, h.parts)
		b = binary.BigEndian.AppendUint64(b, h.length)
	}
	b = append(b, h.value...)
	return binary.BigEndian.AppendUint32(b, checksum(name, b))
}

func checksum(name string, b []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(name), castagnoli), castagnoli, b)
}

// decodeHead reads an entry; its value shares raw's memory. What nobody here
// wrote is store.ErrCorrupt.
func decodeHead(name string, raw []byte) (head, error) {
	var h head
	if len(raw) < prelude+crcSize || raw[0] != magic0 || raw[1] != magic1 || raw[2] != formatVersion {
		return h, corrupt(name, "it does not begin as one of ours")
	}
	body := raw[:len(raw)-crcSize]
	if binary.BigEndian.Uint32(raw[len(body):]) != checksum(name, body) {
		return h, corrupt(name, "its checksum is wrong")
	}
	flags := body[3]
	copy(h.mark[:], body[4:])
	body = body[prelude:]
	if flags&flagRevision != 0 {
		if len(body) < 8 {
			return h, corrupt(name, "it is cut short")
		}
		h.revision, body = binary.BigEndian.Uint64(body), body[8:]
	}
	if flags&flagParts != 0 {
		if len(body) < 12 {
			return h, corrupt(name, "it is cut short")
		}
		h.parts, h.length, body = binary.BigEndian.Uint32(body), binary.BigEndian.Uint64(body[4:]), body[12:]
		if h.parts == 0 || h.length > store.MaxValueBytes || uint64(h.parts) > h.length || len(body) != 0 {
			return h, corrupt(name, "its parts make no sense")
		}
	}
	if flags&^(flagRevision|flagParts) != 0 || flags&flagRevision != 0 && h.revision == 0 {
		return h, corrupt(name, "its flags make no sense")
	}
	h.value = body
	return h, nil
}

func corrupt(name, why string) error {
	return fmt.Errorf("the Consul key %q was changed by another hand: %s: %w", name, why, store.ErrCorrupt)
}
