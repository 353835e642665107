package compute

import (
	"errors"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/messages"
)

// desk takes the caller's orders.
func (a *API) desk(r *api.Request) order.Desk {
	return order.Desk{Cloud: a.cloud, Scope: r.Principal.Scope(), Project: r.Principal.ProjectID, User: r.Principal.UserID}
}

// lookUp finds what an order refers to: the flavor (by id or by the address of
// one), the image and the key.
func (a *API) lookUp(r *api.Request, c *messages.CreateInstance, flavorRef, imageID string) (err error) {
	desk, ctx := a.desk(r), r.Context()
	if c.Flavor, err = desk.Flavor(ctx, flavorRef[strings.LastIndexByte(flavorRef, '/')+1:]); err != nil {
		return err
	}
	if c.Image, err = desk.Image(ctx, imageID, c.Flavor); errors.Is(err, order.ErrNoImage) {
		return badRequest("Can not find requested image")
	} else if err != nil {
		return err
	}
	if c.PublicKey, err = desk.PublicKey(ctx, c.KeyName); errors.Is(err, order.ErrNoKey) {
		return badRequest("Invalid key_name provided.")
	}
	return err
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
