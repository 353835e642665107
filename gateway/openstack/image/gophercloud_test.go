package image

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/members"
)

// TestGophercloud takes an image through its life with an unmodified client.
func TestGophercloud(t *testing.T) {
	w, ctx := newWorld(t, 0), t.Context()
	client := &gophercloud.ServiceClient{
		ProviderClient: &gophercloud.ProviderClient{TokenID: "alice"}, Endpoint: w.url + Prefix + "/", ResourceBase: w.url + Prefix + "/v2/",
	}
	made, err := images.Create(ctx, client, images.CreateOpts{
		Name: "g", DiskFormat: "qcow2", ContainerFormat: "bare", Tags: []string{"x"}, Properties: map[string]string{"arch": "x86_64"},
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	if err := imagedata.Upload(ctx, client, made.ID, bytes.NewReader(craftQCOW2())).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	got, err := images.Get(ctx, client, made.ID).Extract()
	if err != nil || got.Status != images.ImageStatusActive || got.SizeBytes != 4<<16 || got.VirtualSize != 1<<20 || got.Properties["arch"] != "x86_64" {
		t.Errorf("got %+v, %v", got, err)
	}
	back, err := imagedata.Download(ctx, client, made.ID).Extract()
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if content, err := io.ReadAll(back); err != nil || !bytes.Equal(content, craftQCOW2()) {
		t.Errorf("downloaded %d bytes, %v", len(content), err)
	}
	changed, err := images.Update(ctx, client, made.ID, images.UpdateOpts{
		images.ReplaceImageName{NewName: "h"}, images.ReplaceImageMinDisk{NewMinDisk: 2},
		images.UpdateImageProperty{Op: images.AddOp, Name: "os", Value: "linux"},
	}).Extract()
	if err != nil || changed.Name != "h" || changed.MinDiskGigabytes != 2 {
		t.Errorf("got %+v, %v", changed, err)
	}
	if _, err := members.Create(ctx, client, made.ID, "p2").Extract(); err != nil {
		t.Error(err)
	}
	pages, err := images.List(client, images.ListOpts{Limit: 1, Name: "h"}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := images.ExtractImages(pages); err != nil || len(list) != 1 {
		t.Errorf("listed %v, %v", list, err)
	}
	if err := images.Delete(ctx, client, made.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
	if _, err := images.Get(ctx, client, made.ID).Extract(); !gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		t.Errorf("after the end: %v", err)
	}
}
