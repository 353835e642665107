package compute

import (
	"errors"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	gib = 1 << 30
	mib = 1 << 20
)

// flavorFor is the flavor a body refers to, by id or by the address of one.
func (a *API) flavorFor(r *api.Request, ref string) (*messages.Flavor, error) {
	id := ref[strings.LastIndexByte(ref, '/')+1:]
	f, err := a.askFlavor(r, id)
	if err != nil {
		return nil, invalidIfNone(err, "Flavor %s could not be found.", clip(id))
	}
	if f.Disabled && !r.Principal.Admin() {
		return nil, badRequest("Flavor %s could not be found.", clip(id))
	}
	return f, nil
}

// imageFor is the image a body refers to, once it fits the flavor.
func (a *API) imageFor(r *api.Request, id string, f *messages.Flavor) (*messages.ImageRef, error) {
	img, err := cluster.Ask[*messages.ImageView](r.Context(), a.cloud, actors.Ref{Kind: "image", ID: id},
		&messages.GetImage{Scope: r.Principal.Scope()})
	if err != nil {
		return nil, invalidIfNone(err, "Can not find requested image")
	}
	if img.Status != messages.ImageStatus_IMAGE_STATUS_ACTIVE {
		return nil, badRequest("Image %s is not active.", id)
	}
	if img.DiskFormat != "qcow2" && img.DiskFormat != "raw" { // no driver would build it
		return nil, badRequest("Image %s is unacceptable: Disk format %s is not supported, only qcow2 and raw are.", id, img.DiskFormat)
	}
	if err := imageFits(img, f); err != nil {
		return nil, err
	}
	return &messages.ImageRef{
		Id: img.Id, Name: img.Name, Sha256: img.Sha256, Format: img.DiskFormat,
		SizeBytes: img.SizeBytes, VirtualBytes: img.VirtualBytes,
	}, nil
}

// imageFits checks the sizes that are known before anything is built. A flavor
// without a disk leaves its size to the image.
func imageFits(img *messages.ImageView, f *messages.Flavor) error {
	if f.RamMib < img.MinRamMib {
		return badRequest("Flavor's memory is too small for requested image.")
	}
	if f.DiskGib == 0 {
		return nil
	}
	need := max(img.SizeBytes, img.VirtualBytes)
	if disk := f.DiskGib * gib; disk < need {
		return badRequest("Flavor's disk is too small for requested image. Flavor disk is %d bytes, image is %d bytes.", disk, need)
	}
	if f.DiskGib < img.MinDiskGib {
		return badRequest("Flavor's disk is smaller than the minimum size specified in image metadata. "+
			"Flavor disk is %d bytes, minimum size is %d bytes.", f.DiskGib*gib, img.MinDiskGib*gib)
	}
	return nil
}

// publicKey is the user's key of that name.
func (a *API) publicKey(r *api.Request, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	k, err := cluster.Ask[*messages.Keypair](r.Context(), a.cloud, keypairRef(r.Principal.UserID), &messages.GetKeypair{Name: name})
	if err != nil {
		return "", invalidIfNone(err, "Invalid key_name provided.")
	}
	return k.PublicKey, nil
}

// blockDevice is one item of block_device_mapping_v2.
type blockDevice struct {
	SourceType      string     `json:"source_type"`
	DestinationType string     `json:"destination_type"`
	UUID            string     `json:"uuid"`
	ImageID         string     `json:"image_id"`
	VolumeID        string     `json:"volume_id"`
	SnapshotID      string     `json:"snapshot_id"`
	BootIndex       *flexInt   `json:"boot_index"`
	VolumeSize      flexString `json:"volume_size"`
	Tag             string     `json:"tag"`
}

// rootImage is the image of the root disk. Clients say it in imageRef, in a
// mapping of the image to a local disk, or in both; other disks there are none.
func rootImage(ref string, devices []blockDevice) (string, error) {
	for _, d := range devices {
		id := d.UUID
		if d.ImageID != "" {
			id = d.ImageID
		}
		switch {
		case d.VolumeID != "" || d.SnapshotID != "" || d.SourceType == "volume" || d.SourceType == "snapshot" ||
			d.DestinationType == "volume":
			return "", badRequest("Block Device Mapping is Invalid: volumes are not supported.")
		case d.Tag != "":
			return "", badRequest("Block Device Mapping is Invalid: device tags are not supported.")
		case d.SourceType == "blank":
			return "", badRequest("Block Device Mapping is Invalid: blank disks are not supported.")
		case d.BootIndex == nil || *d.BootIndex != 0:
			return "", badRequest("Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.")
		case ref != "" && ref != id:
			return "", badRequest("Block Device Mapping is Invalid: the boot image is not the image of the server.")
		case !uuidLike(id):
			return "", badRequest("Block Device Mapping is Invalid: failed to get image %s.", clip(id))
		}
		ref = id
	}
	if ref == "" {
		return "", badRequest("Invalid imageRef provided.")
	}
	return canonical(ref), nil
}

// place says where the server may go: a zone, or for administrators a host.
func (a *API) place(r *api.Request, c *messages.CreateInstance, zone, host, hypervisor string) error {
	zone, forced, err := splitZone(zone)
	if err != nil {
		return err
	}
	wanted := host
	if wanted == "" {
		wanted = hypervisor
	}
	switch {
	case forced != "" && wanted != "":
		return badRequest("One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are mutually exclusive.")
	case (forced != "" || wanted != "") && !r.Principal.Admin():
		return forbidden("Policy doesn't allow os_compute_api:servers:create:forced_host to be performed.")
	}
	c.AvailabilityZone = zone
	if forced == "" && wanted == "" {
		return a.checkZone(r.Context(), zone)
	}
	h, err := a.findHost(r.Context(), func(h *messages.HostView) bool {
		switch {
		case forced != "":
			return h.Name == forced || h.Inventory.GetHypervisorHostname() == forced
		case host != "" && h.Name != host:
			return false
		}
		return hypervisor == "" || h.Inventory.GetHypervisorHostname() == hypervisor
	})
	switch {
	case err == nil:
		c.Host, c.AvailabilityZone = h.Name, h.GetFacts().GetAvailabilityZone()
		return nil
	case errors.Is(err, messages.NotFound):
		return badRequest("Compute host %s could not be found.", clip(forced+wanted))
	}
	return err
}

// splitZone reads "zone", "zone:host" and "zone:host:node".
func splitZone(s string) (zone, host string, err error) {
	parts := strings.Split(s, ":")
	switch len(parts) {
	case 1:
		return s, "", nil
	case 2:
		return parts[0], parts[1], nil
	case 3:
		if parts[1] == "" {
			return parts[0], parts[2], nil
		}
		return parts[0], parts[1], nil
	}
	return "", "", badRequest("Invalid input received: Unable to parse availability_zone")
}
