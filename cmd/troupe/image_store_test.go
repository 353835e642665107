package main

import (
	"errors"
	"testing"

	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/cluster/images"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

func TestImageStore(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		ok   bool
	}{
		"by default":        {nil, true},
		"peers":             {[]string{"--image-store", "peers"}, true},
		"a folder":          {[]string{"--image-store", "shared:/srv/images", "--image-cache", "50"}, true},
		"nothing":           {[]string{"--image-store", ""}, false},
		"something else":    {[]string{"--image-store", "s3:bucket"}, false},
		"no folder":         {[]string{"--image-store", "shared:"}, false},
		"a relative folder": {[]string{"--image-store", "shared:images"}, false},
		"negative cache":    {[]string{"--image-cache", "-1"}, false},
		"absurd watermark":  {[]string{"--image-free", "99999999999"}, false},
	} {
		var s imageStore
		f := pflag.NewFlagSet("node", pflag.ContinueOnError)
		s.flags(f)
		if err := f.Parse(tt.args); err != nil {
			t.Fatal(err)
		}
		var bad settingError
		if err := s.check(); (err == nil) != tt.ok || err != nil && !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestImageStoreLimits(t *testing.T) {
	if l := (&imageStore{CacheGiB: 3, FreeGiB: 2}).limits(); l.CacheBytes != 3<<30 || l.FreeBytes != 2<<30 {
		t.Errorf("%+v", l)
	}
	if l := (&imageStore{}).limits(); l != (images.Limits{FreeBytes: -1}) {
		t.Errorf("%+v", l)
	}
}

func TestImageStoreFolder(t *testing.T) {
	db, ctx := mem.New(), t.Context()
	if shared, err := (&imageStore{Where: imagesAtPeers}).open(ctx, "c", db); shared != nil || err != nil {
		t.Errorf("%v, %v", shared, err)
	}
	s := imageStore{Where: imagesInFolder + t.TempDir()}
	if shared, err := s.open(ctx, "c", db); shared == nil || err != nil {
		t.Errorf("%v, %v", shared, err)
	}
	other := imageStore{Where: imagesInFolder + t.TempDir()}
	if _, err := other.open(ctx, "c", db); !errors.Is(err, messages.Conflict) {
		t.Errorf("another folder: %v", err)
	}
}
