package imageformat

import (
	"encoding/binary"
	"strings"
)

// Crafted images: the smallest that are accepted, for tests to spoil.

const testCluster = 1 << 16

func craftQCOW2() []byte {
	b := make([]byte, 5*testCluster)
	be := binary.BigEndian
	copy(b, "QFI\xfb")
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], 16)
	be.PutUint64(b[24:], 1<<30)
	be.PutUint32(b[36:], 2)
	be.PutUint64(b[40:], 3*testCluster) // L1
	be.PutUint64(b[48:], testCluster)   // reference counts
	be.PutUint32(b[56:], 1)
	be.PutUint32(b[96:], 4)
	be.PutUint32(b[100:], 104)
	be.PutUint64(b[3*testCluster:], 4*testCluster|1<<63)
	return b
}

func putExtension(b []byte, kind uint32, content string) {
	binary.BigEndian.PutUint32(b[104:], kind)
	binary.BigEndian.PutUint32(b[108:], uint32(len(content)))
	copy(b[112:], content)
}

const goodDescriptor = `# Disk DescriptorFile
version=1
CID=7f5f6a30
parentCID=ffffffff
createType="monolithicSparse"

# Extent description
RW 2048 SPARSE "disk.vmdk"

# The Disk Data Base
ddb.adapterType = "ide"
`

func craftVMDK(descriptor string) []byte {
	b := make([]byte, 64<<10)
	le := binary.LittleEndian
	copy(b, "KDMV")
	le.PutUint32(b[4:], 1)
	le.PutUint64(b[12:], 2048)
	le.PutUint64(b[20:], 128)
	le.PutUint64(b[28:], 1)
	le.PutUint64(b[36:], 20)
	le.PutUint64(b[56:], 30)
	copy(b[sector:], descriptor)
	return b
}

func edited(old, new string) string { return strings.Replace(goodDescriptor, old, new, 1) }

func craftVHD(kind uint32) []byte {
	b := make([]byte, 8192)
	f := b[len(b)-sector:]
	copy(f, "conectix")
	binary.BigEndian.PutUint64(f[16:], sector)
	binary.BigEndian.PutUint64(f[48:], 4096)
	binary.BigEndian.PutUint32(f[60:], kind)
	if kind != vhdFixed {
		copy(b, f)
		copy(b[sector:], "cxsparse")
	}
	return b
}

func craftVHDX() []byte {
	b := make([]byte, 1<<20)
	le := binary.LittleEndian
	copy(b, "vhdxfile")
	for _, at := range []int{vhdxRegions, vhdxRegionsCopy} {
		copy(b[at:], "regi")
		le.PutUint32(b[at+8:], 1)
		copy(b[at+16:], vhdxMetadataRegion)
		le.PutUint64(b[at+32:], 512<<10)
	}
	m := b[512<<10:]
	copy(m, "metadata")
	le.PutUint16(m[10:], 2)
	copy(m[32:], vhdxFileParameters)
	le.PutUint32(m[48:], 64<<10)
	copy(m[64:], vhdxDiskSize)
	le.PutUint32(m[80:], 64<<10+8)
	le.PutUint64(m[64<<10+8:], 1<<30)
	return b
}

func craftVDI() []byte {
	b := make([]byte, 4096)
	le := binary.LittleEndian
	copy(b, "<<< craft >>>\n")
	copy(b[0x40:], "\x7f\x10\xda\xbe")
	le.PutUint32(b[0x44:], vdiVersion)
	le.PutUint32(b[0x4c:], vdiDynamic)
	le.PutUint32(b[0x154:], 1024)
	le.PutUint64(b[0x170:], 1<<20)
	le.PutUint32(b[0x180:], 1)
	return b
}

func craftISO() []byte {
	b := make([]byte, 40<<10)
	copy(b[0x8000:], "\x01CD001\x01")
	return b
}

func craftRaw() []byte {
	b := make([]byte, 1<<20)
	b[510], b[511] = 0x55, 0xaa // a boot sector
	return b
}
