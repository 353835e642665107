package order

import (
	"context"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/actors/keypair"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

const gib = 1 << 30

// Flavor is the flavor with that id, if the caller may order it.
func (d Desk) Flavor(ctx context.Context, id string) (*messages.Flavor, error) {
	f, err := recall(d.Cloud, subject{flavor.Kind, id, d.Scope}, func(cloud Cloud) (*messages.Flavor, error) {
		return cluster.Ask[*messages.Flavor](ctx, cloud, actors.Ref{Kind: flavor.Kind, ID: id}, &messages.GetFlavor{Scope: d.Scope})
	})
	switch {
	case err != nil:
		return nil, unless(err, invalid("flavor %s could not be found", shown(id)))
	case f.Disabled && !d.operator():
		return nil, invalid("flavor %s could not be found", shown(id))
	}
	return f, nil
}

// Image is the image with that id, once it can be built from and fits the
// flavor. ErrNoImage if there is none.
func (d Desk) Image(ctx context.Context, id string, f *messages.Flavor) (*messages.ImageRef, error) {
	img, err := recall(d.Cloud, subject{image.Kind, id, d.Scope}, func(cloud Cloud) (*messages.ImageView, error) {
		return cluster.Ask[*messages.ImageView](ctx, cloud, actors.Ref{Kind: image.Kind, ID: id}, &messages.GetImage{Scope: d.Scope})
	})
	switch {
	case err != nil:
		return nil, unless(err, ErrNoImage)
	case img.Status != messages.ImageStatus_IMAGE_STATUS_ACTIVE:
		return nil, invalid("image %s is not active", id)
	case img.DiskFormat != "qcow2" && img.DiskFormat != "raw": // no driver would build it
		return nil, invalid("image %s is unacceptable: Disk format %s is not supported, only qcow2 and raw are", id, img.DiskFormat)
	}
	if err := fits(img, f); err != nil {
		return nil, err
	}
	return &messages.ImageRef{
		Id: img.Id, Name: img.Name, Sha256: img.Sha256, Format: img.DiskFormat,
		SizeBytes: img.SizeBytes, VirtualBytes: img.VirtualBytes,
	}, nil
}

// fits checks the sizes that are known before anything is built. A flavor
// without a disk leaves its size to the image.
func fits(img *messages.ImageView, f *messages.Flavor) error {
	need := max(img.SizeBytes, img.VirtualBytes)
	switch disk := f.DiskGib * gib; {
	case f.RamMib < img.MinRamMib:
		return invalid("flavor's memory is too small for requested image")
	case f.DiskGib == 0:
		return nil
	case disk < need:
		return invalid("flavor's disk is too small for requested image. Flavor disk is %d bytes, image is %d bytes", disk, need)
	case f.DiskGib < img.MinDiskGib:
		return invalid("flavor's disk is smaller than the minimum size specified in image metadata. "+
			"Flavor disk is %d bytes, minimum size is %d bytes", disk, img.MinDiskGib*gib)
	}
	return nil
}

// PublicKey is the user's key of that name; "" has none. ErrNoKey if there is
// no such key.
func (d Desk) PublicKey(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	k, err := cluster.Ask[*messages.Keypair](ctx, d.Cloud, actors.Ref{Kind: keypair.Kind, ID: d.User}, &messages.GetKeypair{Name: name})
	if err != nil {
		return "", unless(err, ErrNoKey)
	}
	return k.PublicKey, nil
}

// Metadata refuses more items than the project may give a server.
func (d Desk) Metadata(ctx context.Context, items int) error {
	if items == 0 {
		return nil
	}
	q, err := cluster.Ask[*messages.QuotaView](ctx, d.Cloud, actors.Ref{Kind: "project", ID: d.Project}, &messages.GetQuota{})
	if err != nil {
		return err
	}
	return MetadataFits(q, items)
}

// MetadataFits says whether a server of that project may have so many items.
func MetadataFits(q *messages.QuotaView, items int) error {
	if limit, ok := q.Limits["metadata_items"]; ok && limit >= 0 && int64(items) > limit {
		return refuse(messages.Denied, "Maximum number of metadata items exceeds %d", limit)
	}
	return nil
}
