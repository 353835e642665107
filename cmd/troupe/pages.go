package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The start touches most of the program's own code and constants, and the kernel
// maps what lies around each page that is touched: more than half of what an idle
// cloud has. These pages are the file's own and stay in the system's cache; a
// process that lets go of them pays a short fault, without the disk, for each piece
// that it needs again (64 KiB to 2 MiB: as the system has it in its cache).
//
// Only mappings of the program's own file count: they stand where they are for as
// long as the process lives, while a library's may be gone, and something else be in
// its place, between the look and the letting go.

// Limits of what is read of the list of mappings.
const (
	maxMapLine  = 8 << 10 // of which a path has 4 KiB at most, with each line end in it escaped as four
	maxMappings = 1 << 16 // the kernel's own default limit, vm.max_map_count
)

// mapping is one range of addresses, as smaps(5) tells of it.
type mapping struct {
	start, end uint64
	perms      string // "r-xp"
	inode      uint64
	rss        uint64 // kB
	ours       uint64 // kB that are not the file's any more: they are nowhere else
	known      int    // how many of the lines that ours adds up were there
}

// clean says whether the file has everything that stands in m, now and for as long as
// nobody makes it writable.
func (m mapping) clean() bool {
	const changes = 2 // lines: Anonymous, Swap
	return m.inode != 0 && m.known == changes && m.ours == 0 && len(m.perms) == 4 &&
		m.perms[0] == 'r' && m.perms[1] == '-' && m.perms[3] == 'p'
}

// readMappings parses smaps.
func readMappings(r io.Reader) ([]mapping, error) {
	var all []mapping
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxMapLine), maxMapLine)
	for lines.Scan() {
		key, rest, _ := strings.Cut(lines.Text(), " ")
		if !strings.HasSuffix(key, ":") {
			m, err := parseMapping(key, rest)
			if err != nil {
				return nil, err
			}
			if len(all) == maxMappings {
				return nil, fmt.Errorf("there are more than %d mappings", maxMappings)
			}
			all = append(all, m)
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("%q stands before any mapping", key)
		}
		if err := all[len(all)-1].add(key, rest); err != nil {
			return nil, err
		}
	}
	return all, lines.Err()
}

// parseMapping reads the first line about a mapping:
// "00400000-00403000 r--p 00000000 fe:00 9986995    /usr/bin/troupe".
func parseMapping(addresses, rest string) (m mapping, err error) {
	fields := strings.Fields(rest)
	from, to, ok := strings.Cut(addresses, "-")
	if !ok || len(fields) < 4 {
		return m, fmt.Errorf("a mapping cannot be read: %q", addresses)
	}
	m.perms = fields[0]
	var errs [3]error
	m.start, errs[0] = strconv.ParseUint(from, 16, 64)
	m.end, errs[1] = strconv.ParseUint(to, 16, 64)
	m.inode, errs[2] = strconv.ParseUint(fields[3], 10, 64)
	if err := errors.Join(errs[:]...); err != nil {
		return m, fmt.Errorf("a mapping cannot be read: %w", err)
	}
	if m.end < m.start {
		return m, fmt.Errorf("a mapping ends before it begins: %q", addresses)
	}
	return m, nil
}

// add takes a line such as "Anonymous:         0 kB". Dirty pages are no matter: those
// of a file that was just written are, and its own all the same.
func (m *mapping) add(key, rest string) error {
	switch key {
	case "Rss:", "Anonymous:", "Swap:":
	default:
		return nil
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
	if err != nil {
		return fmt.Errorf("%s of a mapping cannot be read: %w", key, err)
	}
	if key == "Rss:" {
		m.rss = n
		return nil
	}
	m.ours, m.known = max(m.ours, n), m.known+1
	return nil
}

// constant are the mappings of the file that code is in which hold nothing but what
// stands in the file.
func constant(all []mapping, code uint64) (found []mapping) {
	var file uint64
	for _, m := range all {
		if m.start <= code && code < m.end {
			file = m.inode
		}
	}
	for _, m := range all {
		if file != 0 && m.inode == file && m.clean() {
			found = append(found, m)
		}
	}
	return found
}

// ownConstants are the mappings of the program's own code and constants.
func ownConstants() ([]mapping, error) {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := readMappings(f)
	return constant(all, uint64(reflect.ValueOf(ownConstants).Pointer())), err
}

// releasePages lets go of the program's own code and constants, which come back as they are
// needed.
func releasePages() error {
	found, err := ownConstants()
	if err != nil {
		return err
	}
	for _, m := range found {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(m.start), uintptr(m.end-m.start), unix.MADV_DONTNEED); errno != 0 {
			return errno
		}
	}
	return nil
}
