// Package shared owns the question whose a disk is on storage that several hosts
// reach: one file a disk names the host and the order by which it got it. A host
// that was thought dead and comes back finds there that a disk is another's now. It
// makes no disk and knows no hypervisor.
package shared

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/drivers/internal/flock"
	"github.com/troupe-cloud/troupe/messages"
)

// The files of the storage, beside the folders of instances.
const (
	ownersDir = ".owners"
	nameFile  = ".storage" // its name, by which hosts know that they share it
	maxFile   = 4096       // bytes of either
)

// Storage is a folder that several hosts reach.
type Storage struct {
	ID  string // the same for all of them
	dir string
}

// Open opens the storage at dir; the first to come names it.
func Open(ctx context.Context, dir string) (*Storage, error) {
	if err := os.MkdirAll(filepath.Join(dir, ownersDir), 0o711); err != nil {
		return nil, fmt.Errorf("shared storage: %w", err)
	}
	f, err := flock.Lock(ctx, filepath.Join(dir, nameFile), flock.Exclusive)
	if err != nil {
		return nil, fmt.Errorf("shared storage: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, err
	}
	id := strings.TrimSpace(string(text))
	if id == "" {
		id = uuid.NewString()
		if _, err := f.WriteAt([]byte(id+"\n"), 0); err != nil {
			return nil, err
		}
		err = f.Sync()
	} else if _, bad := uuid.Parse(id); bad != nil {
		err = fmt.Errorf("%s: %q is not the name of a storage: %w", f.Name(), id, messages.Internal)
	}
	return &Storage{ID: id, dir: filepath.Join(dir, ownersDir)}, err
}

// Owner is whose a disk is.
type Owner struct {
	Host  string `json:"host"`  // empty: free, whoever is told to may have it
	Order uint64 `json:"order"` // the instance's, by which the host got it
}

// Disk is the right to say whose an instance's disk is, until Unlock.
type Disk struct {
	file  *os.File
	owner *Owner // nil: nobody's
}

// Lock waits for the disk of an instance.
func (s *Storage) Lock(ctx context.Context, instance string) (*Disk, error) {
	f, err := flock.Lock(ctx, filepath.Join(s.dir, instance), flock.Exclusive)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	d := &Disk{file: f}
	if len(text) > 0 {
		if d.owner, err = parse(text); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w: %w", f.Name(), err, messages.Internal), f.Close())
		}
	}
	return d, nil
}

func parse(text []byte) (*Owner, error) {
	var o Owner
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	if o.Order == 0 {
		return nil, errors.New("it has no order")
	}
	return &o, nil
}

// Unlock lets others in. The file of a disk that is nobody's goes.
func (d *Disk) Unlock() {
	if d.owner == nil {
		_ = os.Remove(d.file.Name()) // empty, it says the same as none
	}
	_ = d.file.Close()
}

// Known says whether the disk is anybody's.
func (d *Disk) Known() bool { return d.owner != nil }

// Others says whether it is another host's than this.
func (d *Disk) Others(host string) bool {
	return d.owner != nil && d.owner.Host != "" && d.owner.Host != host
}

// Keep makes a disk the host's that is nobody's, or its own already. Another's
// is Conflict.
func (d *Disk) Keep(host string, order uint64) error {
	if d.Others(host) {
		return fmt.Errorf("the disk belongs to host %s since order %d: %w", d.owner.Host, d.owner.Order, messages.Conflict)
	}
	if d.owner != nil && d.owner.Host == host && d.owner.Order >= order {
		return nil
	}
	return d.own(Owner{host, order})
}

// Free lets go of a disk that is the host's: it stays, and is nobody's.
func (d *Disk) Free(host string) error {
	if d.owner == nil || d.owner.Host != host {
		return nil
	}
	return d.own(Owner{"", d.owner.Order})
}

// Take makes another's disk the host's by a newer order.
func (d *Disk) Take(host string, order uint64) error {
	if d.Others(host) && d.owner.Order >= order {
		return d.Keep(host, order)
	}
	return d.own(Owner{host, order})
}

// Forget makes the disk nobody's.
func (d *Disk) Forget() error {
	if err := d.file.Truncate(0); err != nil {
		return err
	}
	d.owner = nil
	return nil
}

func (d *Disk) own(o Owner) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	// One write, padded so that it covers what was there.
	text = append(text, []byte(strings.Repeat(" ", max(0, 255-len(text))))...)
	if _, err := d.file.WriteAt(append(text, '\n'), 0); err != nil {
		return err
	}
	d.owner = &o
	return d.file.Sync()
}
