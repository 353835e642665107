package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/cluster/images"
	"github.com/troupe-cloud/troupe/cluster/store"
)

// The forms of --image-store.
const (
	imagesAtPeers  = "peers"
	imagesInFolder = "shared:" // and the folder
)

// sharedFolderKey is where the cluster's nodes agree on the folder they share.
const sharedFolderKey = "cluster/images/folder"

// imageStore is where a cluster's nodes keep the contents of images. `troupe dev`
// has no such choice: its data folder has them.
type imageStore struct {
	Where             string
	CacheGiB, FreeGiB int64
}

func (s *imageStore) flags(f *pflag.FlagSet) {
	f.StringVar(&s.Where, "image-store", imagesAtPeers,
		"where the contents of images are kept: peers: each on two nodes; shared:DIR: in a folder that all nodes see, for instance by NFS")
	f.Int64Var(&s.CacheGiB, "image-cache", 0, "GiB of images that are here only because they were used here; 0: as much as there is room for")
	f.Int64Var(&s.FreeGiB, "image-free", images.DefaultFreeBytes>>30, "GiB that images leave free on the disk")
}

// check refuses what cannot work, before anything is started.
func (s *imageStore) check() error {
	dir, shared := s.folder()
	switch {
	case s.Where != imagesAtPeers && !shared:
		return badSetting("--image-store %q: it is peers or shared:DIR", s.Where)
	case shared && !filepath.IsAbs(dir):
		return badSetting("--image-store %q: the shared folder is named by its whole path, from / on", s.Where)
	case s.CacheGiB < 0 || s.CacheGiB > maxGiB:
		return badSetting("--image-cache %d: from 0 to %d GiB", s.CacheGiB, maxGiB)
	case s.FreeGiB < 0 || s.FreeGiB > maxGiB:
		return badSetting("--image-free %d: from 0 to %d GiB", s.FreeGiB, maxGiB)
	}
	return nil
}

// maxGiB is more than any disk has.
const maxGiB = 1 << 30

func (s *imageStore) folder() (dir string, shared bool) {
	return strings.CutPrefix(s.Where, imagesInFolder)
}

// limits are those of images.Config.
func (s *imageStore) limits() images.Limits {
	l := images.Limits{CacheBytes: s.CacheGiB << 30, FreeBytes: s.FreeGiB << 30}
	if s.FreeGiB == 0 {
		l.FreeBytes = -1
	}
	return l
}

// open is the folder that images.Config takes; nil if the nodes keep the contents
// themselves. The nodes of the cluster agree in db that they mean the same one.
func (s *imageStore) open(ctx context.Context, cluster string, db store.Store) (*images.Shared, error) {
	dir, shared := s.folder()
	if !shared {
		return nil, nil
	}
	return images.OpenShared(ctx, dir, cluster, images.ClaimIn(db, sharedFolderKey))
}
