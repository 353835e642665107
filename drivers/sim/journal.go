package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/troupe-cloud/troupe/messages/encode"
)

// Journal keeps the domains of any number of simulated hypervisors in one file,
// so that they outlive the process as a real hypervisor outlives its controller.
// It survives kill -9, but not a power cut: it is never synced.
type Journal struct {
	mu     sync.Mutex
	path   string
	file   *os.File
	size   int64 // of the whole lines in the file
	torn   bool  // behind them stands a part of one that did not fit the disk
	packed int64 // size after the last compaction
	loaded map[string]map[string]domain

	least   int64 // minCompact, but for tests
	packing bool  // a compaction goes on
	packers sync.WaitGroup
}

// theHost is the id of the entry that is about the hypervisor itself: of its
// domain only the epoch counts.
const theHost = ""

// entry is one line of the file: a domain as it is now, or its removal.
type entry struct {
	Host   string  `json:"h"`
	ID     string  `json:"i"`
	Domain *domain `json:"d,omitempty"` // nil: removed
}

// lineBytes is how long lines mostly are at most.
const lineBytes = 256

// AppendJSON is encode.Appender's. A test compares with encoding/json.
func (e entry) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Text("h", e.Host)
	o.Text("i", e.ID)
	if e.Domain != nil {
		encode.Value(&o, "d", *e.Domain)
	}
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (dom domain) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.TextIf("n", dom.Hostname)
	o.TextIf("a", dom.Address)
	o.Uint("o", dom.Order)
	if dom.Epoch != 0 {
		o.Uint("e", dom.Epoch)
	}
	o.Int("r", dom.RAMMiB)
	o.Int("g", int64(dom.DiskGiB))
	o.Uint("c", uint64(dom.VCPUs))
	o.Uint("b", uint64(dom.Boots))
	o.Uint("p", uint64(dom.Power))
	return o.Close()
}

// OpenJournal opens, or makes, the journal in directory dir. One process may
// have it open at a time.
func OpenJournal(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal of the simulated hypervisors: %w", err)
	}
	j := &Journal{path: filepath.Join(dir, "domains.jsonl"), least: minCompact}
	var err error
	if j.loaded, err = load(j.path, math.MaxInt64); err != nil {
		return nil, err
	}
	packed, err := j.pack(j.loaded)
	if err != nil {
		return nil, err
	}
	if err := j.replace(packed); err != nil {
		return nil, errors.Join(err, packed.Close())
	}
	return j, nil
}

// Close closes the file, when a compaction that goes on has ended.
func (j *Journal) Close() error {
	j.packers.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}

// take hands over the domains that were loaded for a host.
func (j *Journal) take(host string) map[string]domain {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	doms := j.loaded[host]
	delete(j.loaded, host)
	return doms
}

// write appends one line with one system call, which a kill cannot tear.
func (j *Journal) write(host, id string, dom *domain) error {
	if j == nil {
		return nil
	}
	line, err := entry{host, id, dom}.AppendJSON(make([]byte, 0, lineBytes))
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.mend(); err != nil {
		return err
	}
	n, err := j.file.Write(append(line, '\n'))
	if err != nil {
		j.torn = n > 0
		return errors.Join(err, j.mend())
	}
	j.size += int64(n)
	j.compactLater()
	return nil
}

// mend takes away what a full disk has left of a line: what is written behind it
// could not be read.
func (j *Journal) mend() error {
	if !j.torn {
		return nil
	}
	if err := j.file.Truncate(j.size); err != nil {
		return err
	}
	j.torn = false
	return nil
}

// load reads what stands in the first bytes of a journal.
func load(path string, first int64) (map[string]map[string]domain, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]map[string]domain{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := parse(io.LimitReader(f, first))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// parse reads a journal. An unfinished last line was never acknowledged and is
// dropped; a broken line elsewhere is an error.
func parse(r io.Reader) (map[string]map[string]domain, error) {
	all := map[string]map[string]domain{}
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		var e entry
		if err := json.Unmarshal(bytes.TrimSpace(line), &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		switch doms := all[e.Host]; {
		case e.Domain == nil:
			delete(doms, e.ID)
		case doms == nil:
			all[e.Host] = map[string]domain{e.ID: *e.Domain}
		default:
			doms[e.ID] = *e.Domain
		}
	}
}
