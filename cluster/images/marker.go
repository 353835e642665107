package images

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/durable"
)

// markerFile says in a shared folder whose it is.
const (
	markerFile     = ".troupe-images"
	maxMarkerBytes = 4 << 10
)

// marker is its content.
type marker struct {
	Cluster string `json:"cluster"`
	Folder  string `json:"folder"` // chosen at random by the first node
}

// Claim agrees with all nodes of the cluster on the shared folder: the first
// folder that is claimed stands, and is what every claim answers. Of "" it answers
// what stands, or "".
type Claim func(ctx context.Context, folder string) (agreed string, err error)

// ClaimIn keeps the agreement under a key of the cluster's store.
func ClaimIn(s store.Store, key string) Claim {
	return func(ctx context.Context, folder string) (string, error) {
		for {
			item, err := s.Get(ctx, key)
			if err == nil {
				return string(item.Value), nil
			}
			if !errors.Is(err, messages.NotFound) || folder == "" {
				return "", ignoreNotFound(err)
			}
			_, err = s.Commit(ctx, store.Txn{
				Checks: []store.Check{{Key: key}}, Writes: []store.Write{{Key: key, Value: []byte(folder)}},
			})
			if err == nil {
				return folder, nil
			}
			if !errors.Is(err, store.ErrStale) {
				return "", err
			}
		}
	}
}

func ignoreNotFound(err error) error {
	if errors.Is(err, messages.NotFound) {
		return nil
	}
	return err
}

// OpenShared makes a folder the one that keeps the contents. It must exist: a
// folder that was to be mounted and was not must not become another one. The first
// node of the cluster marks it; Conflict if it is marked as another cluster's, or
// if the nodes of this cluster agreed on another folder.
func OpenShared(ctx context.Context, dir, cluster string, claim Claim) (*Shared, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("shared folder: %w", err)
	}
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("%s is not a folder: %w", dir, errors.Join(messages.Invalid, err))
	}
	agreed, err := claim(ctx, "")
	if err != nil {
		return nil, err
	}
	m, made, err := readOrMark(dir, cluster, agreed == "")
	if err != nil {
		return nil, err
	}
	if m.Cluster != cluster {
		return nil, fmt.Errorf("%s belongs to the cluster %.80q: %w", dir, m.Cluster, messages.Conflict)
	}
	if agreed, err = claim(ctx, m.Folder); err != nil {
		return nil, err
	}
	if agreed != m.Folder {
		if made {
			_ = os.Remove(filepath.Join(dir, markerFile)) // this folder is nobody's after all
		}
		return nil, fmt.Errorf("%s is not the folder that the other nodes of the cluster share: %w", dir, messages.Conflict)
	}
	return &Shared{dir: dir, id: m.Folder}, nil
}

// readOrMark reads the folder's mark, and makes one if it may.
func readOrMark(dir, cluster string, mayMark bool) (m marker, made bool, err error) {
	path := filepath.Join(dir, markerFile)
	m, err = readMarker(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return m, false, err
	}
	if !mayMark {
		return m, false, fmt.Errorf("%s has no file %s: it is not the folder that the cluster shares; is it mounted? %w", dir, markerFile, messages.Conflict)
	}
	raw, err := json.Marshal(marker{Cluster: cluster, Folder: rand.Text()})
	if err != nil {
		return m, false, err
	}
	// Of two nodes that mark at once, one link succeeds; both read what it wrote.
	f, err := os.CreateTemp(dir, sharedUpload+"*")
	if err != nil {
		return m, false, sharedError(err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Chmod(sharedMode), f.Sync(), f.Close()); err != nil {
		return m, false, sharedError(err)
	}
	err = os.Link(f.Name(), path)
	if made = err == nil; err != nil && !errors.Is(err, fs.ErrExist) {
		return m, false, sharedError(err)
	}
	if err := durable.SyncDir(dir); err != nil {
		return m, made, sharedError(err)
	}
	m, err = readMarker(path)
	return m, made, err
}

func readMarker(path string) (marker, error) {
	f, err := os.Open(path)
	if err != nil {
		return marker{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxMarkerBytes+1))
	if err != nil {
		return marker{}, sharedError(err)
	}
	m, err := parseMarker(raw)
	if err != nil {
		return marker{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// parseMarker reads what may have been written by hand.
func parseMarker(raw []byte) (m marker, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&m); err != nil || len(raw) > maxMarkerBytes || m.Cluster == "" || m.Folder == "" {
		return marker{}, fmt.Errorf("not the mark of a shared folder: %w", messages.Invalid)
	}
	return m, nil
}
