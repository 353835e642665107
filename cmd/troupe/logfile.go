package main

import (
	"fmt"
	"os"
	"sync"
)

// Limits of a log that is written to a file.
const (
	maxLogBytes = 64 << 20 // before it is moved aside
	keptLogs    = 4        // older files kept, NAME.1 the youngest
)

// rotating is a file that is moved aside when it is full.
type rotating struct {
	path string
	max  int64
	keep int

	mu   sync.Mutex
	file *os.File
	size int64
}

func openRotating(path string, limit int64, keep int) (*rotating, error) {
	r := &rotating{path: path, max: limit, keep: keep}
	return r, r.open()
}

func (r *rotating) open() error {
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	stat, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	r.file, r.size = f, stat.Size()
	return nil
}

// Write appends one line whole to one file.
func (r *rotating) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size > 0 && r.size+int64(len(line)) > r.max {
		if err := r.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := r.file.Write(line)
	r.size += int64(n)
	return n, err
}

// rotate moves the files up by one; the oldest falls off.
func (r *rotating) rotate() error {
	name := func(i int) string { return fmt.Sprintf("%s.%d", r.path, i) }
	for i := r.keep - 1; i >= 1; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if err := os.Rename(r.path, name(1)); err != nil {
		return err
	}
	if err := r.file.Close(); err != nil {
		return err
	}
	return r.open()
}

// Close closes the file.
func (r *rotating) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.file.Close()
}
