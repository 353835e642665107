package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
)

// minCompact is the size in bytes below which the journal is never rewritten;
// above it, it is once it has grown fourfold. A build writes some 300 bytes, and to
// read what a hundred thousand have written takes seconds of a processor.
const minCompact = 64 << 20

// compactLater has the journal rewritten if it is time. No hypervisor may stand still
// while so many lines are read: that is done beside what is written, and only what
// was written meanwhile is copied under the lock. Called with mu held.
func (j *Journal) compactLater() {
	if j.packing || j.size < max(j.least, 4*j.packed) {
		return
	}
	j.packing = true
	first := j.size
	j.packers.Go(func() { j.compact(first) })
}

// compact rewrites the first bytes of the journal. If that fails, what was written
// stands, and the next try is a while away.
func (j *Journal) compact(first int64) {
	var tmp *os.File
	all, err := load(j.path, first)
	if err == nil {
		tmp, err = j.pack(all)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil {
		err = j.copyFrom(first, tmp)
	}
	if err == nil {
		err = j.replace(tmp)
	}
	if err != nil {
		_ = tmp.Close() // nil, if there is none, may be closed
		j.packed = j.size
		_ = os.Remove(j.path + ".tmp")
	}
	j.packing = false
}

// pack writes a file with only what is there now.
func (j *Journal) pack(all map[string]map[string]domain) (*os.File, error) {
	tmp, err := os.OpenFile(j.path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriter(tmp)
	enc := json.NewEncoder(out)
	for host, doms := range all {
		for id, dom := range doms {
			if err := enc.Encode(entry{host, id, &dom}); err != nil {
				return nil, errors.Join(err, tmp.Close())
			}
		}
	}
	if err := out.Flush(); err != nil {
		return nil, errors.Join(err, tmp.Close())
	}
	return tmp, nil
}

// copyFrom appends to tmp the lines that stand behind the first bytes.
func (j *Journal) copyFrom(first int64, tmp *os.File) error {
	f, err := os.Open(j.path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(tmp, io.NewSectionReader(f, first, j.size-first))
	return err
}

// replace puts tmp in the journal's place.
func (j *Journal) replace(tmp *os.File) error {
	size, err := tmp.Seek(0, io.SeekEnd)
	if err == nil {
		err = os.Rename(tmp.Name(), j.path)
	}
	if err != nil {
		return err
	}
	if j.file != nil {
		_ = j.file.Close() // the old file has no name any more
	}
	j.file, j.size, j.packed, j.torn = tmp, size, size, false
	return nil
}
