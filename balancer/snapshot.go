package balancer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Limits of snapshots.
const (
	snapshotAfter = time.Second // for which a registry may be silent before one is used
	maxSnapshot   = 64 << 20    // bytes
)

// snapshot is the file of one service's last list.
type snapshot struct{ path string } // "": none is kept

func (s *Services) snapshot(name string) snapshot {
	if s.Snapshots == "" {
		return snapshot{}
	}
	return snapshot{filepath.Join(s.Snapshots, url.PathEscape(name)+".json")}
}

// keep writes a list, whole or not at all. An empty one is not worth beginning with.
func (s snapshot) keep(list []Endpoint) error {
	if s.path == "" || len(list) == 0 {
		return nil
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.path), ".snapshot-*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// use gives b the list that was kept, if there is one.
func (s snapshot) use(b *Balancer) error {
	if s.path == "" {
		return nil
	}
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	raw, err := io.ReadAll(io.LimitReader(f, maxSnapshot))
	if err != nil {
		return err
	}
	var list []Endpoint
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("the snapshot %s: %w", s.path, err)
	}
	b.Update(list)
	return nil
}
