// Package durable owns the replacing of small files so that a crash or a power cut
// leaves the old content or the new, and what was answered stays. It knows nothing of
// what is in them.
package durable

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts a file with this content and mode in the place of the one at path, if
// there is one. Its folder must exist. After an error there is the old one, or, if only
// the folder could not be synced, the new.
func Replace(path string, content []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return SyncDir(dir)
}

// SyncDir has the names in a folder on the disk: of what was renamed or removed there.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
