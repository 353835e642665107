package imageformat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

// spoil changes an image and gives it back.
func spoil(b []byte, changes ...func([]byte)) []byte {
	for _, c := range changes {
		c(b)
	}
	return b
}

func put32(at int, v uint32) func([]byte) {
	return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) }
}

func put64(at int, v uint64) func([]byte) {
	return func(b []byte) { binary.BigEndian.PutUint64(b[at:], v) }
}

func le32(at int, v uint32) func([]byte) {
	return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
}

func le64(at int, v uint64) func([]byte) {
	return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) }
}

func text(at int, s string) func([]byte) {
	return func(b []byte) { copy(b[at:], s) }
}

func TestCheckAccepts(t *testing.T) {
	for name, tt := range map[string]struct {
		image   []byte
		as      Format
		virtual int64
	}{
		"raw disk":                 {craftRaw(), Raw, 1 << 20},
		"raw of an odd length":     {[]byte("hello"), Raw, 512},
		"qcow2 version 3":          {craftQCOW2(), QCOW2, 1 << 30},
		"qcow2 version 2":          {spoil(craftQCOW2(), put32(4, 2), func(b []byte) { clear(b[72:200]) }), QCOW2, 1 << 30},
		"qcow2 dirty":              {spoil(craftQCOW2(), put64(72, 1)), QCOW2, 1 << 30},
		"qcow2 with zstd":          {spoil(craftQCOW2(), put64(72, 8), put32(100, 112), text(104, "\x01")), QCOW2, 1 << 30},
		"qcow2, unknown extension": {spoil(craftQCOW2(), func(b []byte) { putExtension(b, 0x12345678, "what?") }), QCOW2, 1 << 30},
		"monolithic VMDK":          {craftVMDK(goodDescriptor), VMDK, 1 << 20},
		"stream-optimised VMDK": {spoil(craftVMDK(edited("monolithicSparse", "streamOptimized")), le64(56, vmdkGDAtEnd),
			func(b []byte) { copy(b[len(b)-1024:], b[:512]) }, le64(64<<10-1024+56, 40)), VMDK, 1 << 20},
		"fixed VHD":   {craftVHD(vhdFixed), VHD, 4096},
		"dynamic VHD": {craftVHD(vhdDynamic), VHD, 4096},
		"VHDX":        {craftVHDX(), VHDX, 1 << 30},
		"VDI":         {craftVDI(), VDI, 1 << 20},
		"ISO":         {craftISO(), ISO, 40 << 10},
	} {
		got, err := Check(bytes.NewReader(tt.image), int64(len(tt.image)), tt.as)
		if err != nil || got.VirtualBytes != tt.virtual || got.Format != tt.as {
			t.Errorf("%s: got %+v, %v; want %s of %d bytes", name, got, err, tt.as, tt.virtual)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		image []byte
		as    Format
		say   string
	}{
		"nothing":                          {nil, Raw, "empty"},
		"a format nobody knows":            {craftRaw(), "ploop", "not one of"},
		"qcow2 declared raw":               {craftQCOW2(), Raw, "declared raw, but its content is qcow2"},
		"raw declared qcow2":               {craftRaw(), QCOW2, "declared qcow2, but its content is raw"},
		"vmdk declared qcow2":              {craftVMDK(goodDescriptor), QCOW2, "content is vmdk"},
		"ISO declared raw":                 {craftISO(), Raw, "content is iso"},
		"VHD declared raw":                 {craftVHD(vhdFixed), Raw, "content is vhd"},
		"VHD of 511 bytes declared raw":    {spoil(craftRaw(), text(1<<20-511, "conectix")), Raw, "content is vhd"},
		"LUKS declared raw":                {spoil(craftRaw(), text(0, "LUKS\xba\xbe\x00\x01")), Raw, "content is luks"},
		"gzip declared raw":                {spoil(craftRaw(), text(0, "\x1f\x8b\x08\x00")), Raw, "content is gzip"},
		"bzip2 declared raw":               {spoil(craftRaw(), text(0, "BZh91AY&SY")), Raw, "content is bzip2"},
		"descriptor declared raw":          {[]byte(goodDescriptor), Raw, "content is vmdk"},
		"descriptor after comments":        {[]byte("# hello\n\n  version=1\nRW 1 FLAT \"/etc/passwd\" 0\n"), Raw, "content is vmdk"},
		"qcow2 that is an ISO":             {spoil(craftQCOW2(), text(0x8000, "\x01CD001")), QCOW2, "several formats"},
		"qcow2 with the end of a VHD":      {spoil(craftQCOW2(), text(5*testCluster-512, "conectix")), QCOW2, "several formats"},
		"raw that is an ISO and a VDI":     {spoil(craftISO(), text(0x40, "\x7f\x10\xda\xbe")), Raw, "several formats"},
		"backing file":                     {spoil(craftQCOW2(), put64(8, 200), put32(16, 11), text(200, "/etc/passwd")), QCOW2, "backing file"},
		"backing file of no length":        {spoil(craftQCOW2(), put64(8, 200)), QCOW2, "backing file"},
		"backing file, version 2":          {spoil(craftQCOW2(), put32(4, 2), put64(8, 200), put32(16, 11)), QCOW2, "backing file"},
		"external data file":               {spoil(craftQCOW2(), put64(72, 4)), QCOW2, "external data file"},
		"name of a data file only":         {spoil(craftQCOW2(), func(b []byte) { putExtension(b, extensionDataFile, "/etc/shadow") }), QCOW2, "external data file"},
		"format of a backing file":         {spoil(craftQCOW2(), func(b []byte) { putExtension(b, extensionBacking, "raw") }), QCOW2, "backing file"},
		"unknown incompatible feature":     {spoil(craftQCOW2(), put64(72, 1<<20)), QCOW2, "unknown features"},
		"marked corrupt":                   {spoil(craftQCOW2(), put64(72, 2)), QCOW2, "marked corrupt"},
		"encrypted qcow2":                  {spoil(craftQCOW2(), put32(32, 2)), QCOW2, "encrypted"},
		"LUKS inside qcow2":                {spoil(craftQCOW2(), func(b []byte) { putExtension(b, extensionCrypto, strings.Repeat("x", 16)) }), QCOW2, "encrypted"},
		"internal snapshots":               {spoil(craftQCOW2(), put32(60, 3)), QCOW2, "internal snapshots"},
		"qcow version 1":                   {spoil(craftQCOW2(), put32(4, 1)), QCOW2, "version 1"},
		"qcow2 version 4":                  {spoil(craftQCOW2(), put32(4, 4)), QCOW2, "version 4"},
		"tiny clusters":                    {spoil(craftQCOW2(), put32(20, 8)), QCOW2, "clusters"},
		"huge clusters":                    {spoil(craftQCOW2(), put32(20, 63)), QCOW2, "clusters"},
		"header longer than a cluster":     {spoil(craftQCOW2(), put32(100, 1<<20)), QCOW2, "impossible length"},
		"extension that leaves":            {spoil(craftQCOW2(), put32(104, 7), put32(108, 0xfffffff0)), QCOW2, "leaves the first cluster"},
		"endless extensions":               {spoil(craftQCOW2(), endlessExtensions), QCOW2, "more than 64"},
		"compression without its bit":      {spoil(craftQCOW2(), put32(100, 112), text(104, "\x01")), QCOW2, "compression"},
		"reference counts too wide":        {spoil(craftQCOW2(), put32(96, 7)), QCOW2, "reference count order"},
		"reference counts outside":         {spoil(craftQCOW2(), put64(48, 1<<40)), QCOW2, "outside the file"},
		"L1 table too small":               {spoil(craftQCOW2(), put32(36, 1)), QCOW2, "L1 table"},
		"L1 table too large":               {spoil(craftQCOW2(), put32(36, 1<<30)), QCOW2, "L1 table"},
		"L1 table outside":                 {spoil(craftQCOW2(), put64(40, 1<<50)), QCOW2, "outside the file"},
		"L2 table outside":                 {spoil(craftQCOW2(), put64(3*testCluster, 1<<40)), QCOW2, "L2 table"},
		"cut off":                          {craftQCOW2()[:4*testCluster], QCOW2, "L2 table"},
		"only a magic":                     {[]byte("QFI\xfb"), QCOW2, "cut off"},
		"a disk of no size":                {spoil(craftQCOW2(), put64(24, 0)), QCOW2, "claims a disk"},
		"a disk of 16 EiB":                 {spoil(craftQCOW2(), put64(24, 1<<64-1)), QCOW2, "claims a disk"},
		"VMDK descriptor alone":            {[]byte(edited("SPARSE", "FLAT")), VMDK, "names other files"},
		"old ESX extent":                   {spoil(craftVMDK(""), text(0, "COWD")), VMDK, "names other files"},
		"VMDK that is flat":                {craftVMDK(edited("SPARSE \"disk.vmdk\"", "FLAT \"/etc/passwd\" 0")), VMDK, "not part of the file"},
		"VMDK with a path":                 {craftVMDK(edited("disk.vmdk", "../other.vmdk")), VMDK, "path to another file"},
		"VMDK with two extents":            {craftVMDK(goodDescriptor + "RW 1 SPARSE \"b.vmdk\"\n"), VMDK, "2 extents"},
		"VMDK with a hidden extent":        {craftVMDK(goodDescriptor + "\trdonly 1 FLAT \"/etc/shadow\" 0\n"), VMDK, "not part of the file"},
		"VMDK without an extent":           {craftVMDK(edited("RW 2048 SPARSE", "# ")), VMDK, "0 extents"},
		"VMDK of a raw device":             {craftVMDK(edited("monolithicSparse", "fullDevice")), VMDK, "fulldevice"},
		"VMDK of two types":                {craftVMDK(goodDescriptor + "createType=\"vmfs\"\n"), VMDK, "two types"},
		"VMDK with a parent":               {craftVMDK(edited("parentCID=ffffffff", "parentCID=12345678")), VMDK, "parent"},
		"VMDK with a parent's name":        {craftVMDK(goodDescriptor + "parentFileNameHint=\"/etc/passwd\"\n"), VMDK, "parent"},
		"VMDK with noise":                  {craftVMDK(goodDescriptor + "whatever\n"), VMDK, "neither"},
		"VMDK without a descriptor":        {spoil(craftVMDK(goodDescriptor), le64(28, 0)), VMDK, "no descriptor"},
		"VMDK with a huge descriptor":      {spoil(craftVMDK(goodDescriptor), le64(36, 1<<40)), VMDK, "descriptor of"},
		"VMDK with the descriptor outside": {spoil(craftVMDK(goodDescriptor), le64(28, 120)), VMDK, "outside the file"},
		"VMDK of capacity 0":               {spoil(craftVMDK(goodDescriptor), le64(12, 0)), VMDK, "0 sectors"},
		"VMDK of version 9":                {spoil(craftVMDK(goodDescriptor), le32(4, 9)), VMDK, "version 9"},
		"VMDK without its footer":          {spoil(craftVMDK(goodDescriptor), le64(56, vmdkGDAtEnd)), VMDK, "no header"},
		"VMDK whose footer lies": {spoil(craftVMDK(goodDescriptor), le64(56, vmdkGDAtEnd),
			func(b []byte) { copy(b[len(b)-1024:], b[:512]) }, le64(64<<10-1024+28, 3)), VMDK, "contradict"},
		"differencing VHD":            {craftVHD(4), VHD, "not self-contained"},
		"dynamic VHD with a parent":   {spoil(craftVHD(vhdDynamic), text(sector+vhdParentName, "\x00a")), VHD, "parent"},
		"dynamic VHD with a locator":  {spoil(craftVHD(vhdDynamic), text(sector+vhdLocators, "W2ru")), VHD, "parent"},
		"VHD with a second header":    {spoil(craftVHD(vhdFixed), text(0, "conectix")), VHD, "fixed at its end"},
		"VHD whose footers differ":    {spoil(craftVHD(vhdDynamic), put64(48, 8192)), VHD, "contradict"},
		"VHD without its footer":      {craftVHD(vhdDynamic)[:4096], VHD, "no footer"},
		"VHD without its header":      {spoil(craftVHD(vhdDynamic), text(sector, "nonsense")), VHD, "no header"},
		"VHD larger than its file":    {spoil(craftVHD(vhdFixed), put64(8192-512+48, 1<<20)), VHD, "cut off"},
		"VHDX with a parent":          {spoil(craftVHDX(), le32(512<<10+64<<10+4, vhdxHasParent)), VHDX, "parent"},
		"VHDX with a parent locator":  {spoil(craftVHDX(), text(512<<10+64, vhdxParentLocator)), VHDX, "parent"},
		"VHDX without a second table": {spoil(craftVHDX(), text(vhdxRegionsCopy, "none")), VHDX, "no region table"},
		"VHDX without metadata":       {spoil(craftVHDX(), text(vhdxRegions+16, "none")), VHDX, "no metadata"},
		"VHDX with metadata outside":  {spoil(craftVHDX(), le64(vhdxRegions+32, 1<<62)), VHDX, "outside the file"},
		"VHDX with huge tables":       {spoil(craftVHDX(), le32(vhdxRegions+8, 1<<31)), VHDX, "no region table"},
		"differencing VDI":            {spoil(craftVDI(), le32(0x4c, 4)), VDI, "not self-contained"},
		"VDI with a parent":           {spoil(craftVDI(), text(vdiParentsAt+16, "x")), VDI, "parent"},
		"VDI of version 0":            {spoil(craftVDI(), le32(0x44, 0)), VDI, "version"},
		"VDI cut off":                 {spoil(craftVDI(), le32(0x154, 4095)), VDI, "outside the file"},
	} {
		_, err := Check(bytes.NewReader(tt.image), int64(len(tt.image)), tt.as)
		if !errors.Is(err, messages.Invalid) || !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s: got %v, want a refusal that says %q", name, err, tt.say)
		}
	}
}

func endlessExtensions(b []byte) {
	for at := 104; at < 4096; at += 8 {
		binary.BigEndian.PutUint32(b[at:], 7)
	}
}

// brokenReader fails as a disk does.
type brokenReader struct{}

var errDisk = errors.New("input/output error")

func (brokenReader) ReadAt([]byte, int64) (int, error) { return 0, errDisk }

func TestReadErrorsAreNotRefusals(t *testing.T) {
	if _, err := Check(brokenReader{}, 4096, Raw); !errors.Is(err, errDisk) || errors.Is(err, messages.Invalid) {
		t.Errorf("got %v, want the reader's own error", err)
	}
}

// countingReader counts what an inspection reads.
type countingReader struct {
	io.ReaderAt
	n int64
}

func (c *countingReader) ReadAt(b []byte, off int64) (int, error) {
	c.n += int64(len(b))
	return c.ReaderAt.ReadAt(b, off)
}

func FuzzCheck(f *testing.F) {
	for i, b := range [][]byte{craftRaw()[:4096], craftQCOW2(), craftVMDK(goodDescriptor), craftVHD(vhdFixed),
		craftVHD(vhdDynamic), craftVHDX(), craftVDI(), craftISO(), []byte(goodDescriptor)} {
		f.Add(b, uint8(i))
	}
	f.Fuzz(func(t *testing.T, image []byte, as uint8) {
		declared := Formats()[int(as)%len(Formats())]
		r := &countingReader{ReaderAt: bytes.NewReader(image)}
		got, err := Check(r, int64(len(image)), declared)
		if r.n > maxInspectionBytes {
			t.Fatalf("read %d bytes", r.n)
		}
		if err != nil {
			if !errors.Is(err, messages.Invalid) {
				t.Fatalf("a refusal without a kind: %v", err)
			}
			return
		}
		if got.Format != declared || got.VirtualBytes <= 0 || got.VirtualBytes > MaxVirtualBytes {
			t.Fatalf("accepted with %+v", got)
		}
	})
}
