package bolt

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Release gives the memory back that reading and writing the file has mapped.
// The pages stay in the system's cache, as far as it has room, and come back
// when they are read. For an idle process, whose size they would count for.
func (s *Store) Release() error {
	s.mu.RLock() // against Close, which ends the mapping
	defer s.mu.RUnlock()
	if s.closed {
		return nil
	}
	tx, err := s.db.Begin(false) // against a new mapping in place of this one
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	size := tx.Size() / int64(os.Getpagesize()) * int64(os.Getpagesize())
	data := s.db.Info().Data
	if data == 0 || size == 0 {
		return nil
	}
	return unix.Madvise(unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&data))), size), unix.MADV_DONTNEED)
}
