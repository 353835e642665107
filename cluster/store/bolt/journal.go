package bolt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/durable"
)

// The journal is two files that take turns. A segment is what is written to one
// of them between two checkpoints: records one after the other from the file's
// start, over whatever an earlier segment has left there. Writing over blocks
// that exist is what makes its fsync cheap: no size, no map of blocks changes.
//
// A record is: store id (8), segment (8), length of the body (4), CRC-32C of
// all that and of the body (4), the body. A body is the writes of one batch:
// revision, length of the key, key, length of the value plus one or 0 for a
// deletion, value; numbers as varints. The first record that does not fit ends
// the segment: it is torn, or of an earlier one.
type journal struct {
	path   string
	noSync bool
	id     uint64 // of the store: a journal of another is refused
	files  [2]*os.File

	segment uint64
	offset  int64
	buffer  []byte
}

const (
	recordHeader = 24
	// maxRecord bounds the body of a record that is read: a batch ends with the
	// transaction that makes it as large as the largest one may be.
	maxRecord = 3 * store.MaxTxnBytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func journalPath(path string, segment uint64) string {
	return fmt.Sprintf("%s.journal%d", path, segment%2)
}

// begin opens the file of a new segment.
func (j *journal) begin(segment uint64) error {
	if f := &j.files[segment%2]; *f == nil {
		opened, err := os.OpenFile(journalPath(j.path, segment), os.O_RDWR|os.O_CREATE, fileMode)
		if err == nil {
			err = durable.SyncDir(filepath.Dir(j.path)) // else the file may be gone after a power cut
		}
		if err != nil {
			return err
		}
		*f = opened
	}
	j.segment, j.offset = segment, 0
	return nil
}

// write is one write with its revision, as the journal has it.
type write struct {
	key string
	entry
}

// append makes the writes durable as one record. After an error nothing of it
// counts: the next record takes its place.
func (j *journal) append(writes []write) error {
	b := append(j.buffer[:0], make([]byte, recordHeader)...)
	for _, w := range writes {
		b = binary.AppendUvarint(b, w.revision)
		b = binary.AppendUvarint(b, uint64(len(w.key)))
		b = append(b, w.key...)
		if w.value == nil {
			b = binary.AppendUvarint(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(w.value))+1)
		b = append(b, w.value...)
	}
	binary.BigEndian.PutUint64(b, j.id)
	binary.BigEndian.PutUint64(b[8:], j.segment)
	binary.BigEndian.PutUint32(b[16:], uint32(len(b)-recordHeader))
	binary.BigEndian.PutUint32(b[20:], checksum(b))
	if j.buffer = b; cap(b) > keepBuffer {
		j.buffer = nil
	}
	f := j.files[j.segment%2]
	if _, err := f.WriteAt(b, j.offset); err != nil {
		return err
	}
	if !j.noSync {
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
	}
	j.offset += int64(len(b))
	return nil
}

// keepBuffer is how large a buffer is kept for the next record.
const keepBuffer = 4 << 20

func checksum(record []byte) uint32 {
	return crc32.Update(crc32.Checksum(record[:20], castagnoli), castagnoli, record[recordHeader:])
}

// replay reads the segments that are newer than applied, oldest first.
func (j *journal) replay(applied uint64) ([]*layer, error) {
	var layers []*layer
	for n := range uint64(2) {
		l, err := j.read(n)
		if err != nil {
			return nil, err
		}
		if l != nil && l.segment > applied {
			layers = append(layers, l)
		}
	}
	if len(layers) == 2 && layers[0].segment > layers[1].segment {
		layers[0], layers[1] = layers[1], layers[0]
	}
	return layers, nil
}

// read reads the segment in one of the two files; nil if there is none.
func (j *journal) read(n uint64) (*layer, error) {
	f, err := os.Open(journalPath(j.path, n))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	in, left := bufio.NewReaderSize(f, 1<<20), info.Size()
	var l *layer
	for {
		id, segment, body, ok := readRecord(in, left)
		switch {
		case !ok || l != nil && segment != l.segment:
			return l, nil
		case id != j.id:
			return nil, fmt.Errorf("the journal %s is another store's: %w", f.Name(), errDamaged)
		case l == nil:
			l = &layer{segment: segment}
		}
		if err := parseBody(body, l.set); err != nil {
			return nil, fmt.Errorf("the journal %s: %w", f.Name(), err)
		}
		left -= int64(recordHeader + len(body))
	}
}

// readRecord reads one whole record; not ok ends the segment.
func readRecord(in io.Reader, left int64) (id, segment uint64, body []byte, ok bool) {
	var header [recordHeader]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return 0, 0, nil, false
	}
	length := int64(binary.BigEndian.Uint32(header[16:]))
	if length > min(left-recordHeader, maxRecord) {
		return 0, 0, nil, false
	}
	record := append(header[:], make([]byte, length)...)
	if _, err := io.ReadFull(in, record[recordHeader:]); err != nil {
		return 0, 0, nil, false
	}
	if checksum(record) != binary.BigEndian.Uint32(header[20:]) {
		return 0, 0, nil, false
	}
	return binary.BigEndian.Uint64(header[:]), binary.BigEndian.Uint64(header[8:]), record[recordHeader:], true
}

// parseBody hands every write of a body to take. What passed its checksum and
// cannot be parsed was not written by us.
func parseBody(body []byte, take func(key string, e entry)) error {
	next := func(n uint64) ([]byte, bool) {
		if n > uint64(len(body)) {
			return nil, false
		}
		head := body[:n:n]
		body = body[n:]
		return head, true
	}
	number := func() (uint64, bool) {
		v, n := binary.Uvarint(body)
		if n <= 0 {
			return 0, false
		}
		body = body[n:]
		return v, true
	}
	for len(body) > 0 {
		revision, ok1 := number()
		size, ok2 := number()
		key, ok3 := next(size)
		valueSize, ok4 := number()
		if !ok1 || !ok2 || !ok3 || !ok4 {
			return fmt.Errorf("a record cannot be read: %w", messages.Invalid)
		}
		e := entry{revision: revision}
		if valueSize > 0 {
			value, ok := next(valueSize - 1)
			if !ok {
				return fmt.Errorf("a value is cut short: %w", messages.Invalid)
			}
			e.value = value
		}
		take(string(key), e)
	}
	return nil
}

// remove ends the journal of a store whose file has everything.
func (j *journal) remove() error {
	var errs []error
	for n, f := range j.files {
		if f != nil {
			errs = append(errs, f.Close())
			j.files[n] = nil
		}
		if err := os.Remove(journalPath(j.path, uint64(n))); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// close keeps the files: the next Open replays them.
func (j *journal) close() {
	for n, f := range j.files {
		if f != nil {
			_ = f.Close()
			j.files[n] = nil
		}
	}
}
