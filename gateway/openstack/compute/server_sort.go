package compute

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// sorting is one key of an order, and its direction.
type sorting struct {
	less func(a, b *messages.InstanceView) int
	desc bool
}

func byText(field func(*messages.InstanceView) string) func(a, b *messages.InstanceView) int {
	return func(a, b *messages.InstanceView) int { return strings.Compare(field(a), field(b)) }
}

func byNumber[N cmp.Ordered](field func(*messages.InstanceView) N) func(a, b *messages.InstanceView) int {
	return func(a, b *messages.InstanceView) int { return cmp.Compare(field(a), field(b)) }
}

// alike sorts nothing: every server here is the same in it.
func alike(_, _ *messages.InstanceView) int { return 0 }

// sortKeys are what servers may be sorted by.
var sortKeys = map[string]func(a, b *messages.InstanceView) int{
	"created_at":          byNumber((*messages.InstanceView).GetCreatedAt),
	"updated_at":          byNumber((*messages.InstanceView).GetUpdatedAt),
	"launched_at":         byNumber((*messages.InstanceView).GetLaunchedAt),
	"terminated_at":       byNumber((*messages.InstanceView).GetDeletedAt),
	"power_state":         byNumber((*messages.InstanceView).GetPowerState),
	"display_name":        byText((*messages.InstanceView).GetName),
	"display_description": byText((*messages.InstanceView).GetDescription),
	"uuid":                byText((*messages.InstanceView).GetId),
	"host":                byText((*messages.InstanceView).GetHost),
	"node":                byText((*messages.InstanceView).GetHypervisorHostname),
	"hostname":            byText((*messages.InstanceView).GetHostname),
	"key_name":            byText((*messages.InstanceView).GetKeyName),
	"project_id":          byText((*messages.InstanceView).GetProjectId),
	"user_id":             byText((*messages.InstanceView).GetUserId),
	"availability_zone":   byText((*messages.InstanceView).GetAvailabilityZone),
	"access_ip_v4":        byText((*messages.InstanceView).GetAccessIpv4),
	"access_ip_v6":        byText((*messages.InstanceView).GetAccessIpv6),
	"image_ref":           byText(func(v *messages.InstanceView) string { return v.Image.GetId() }),
	"instance_type_id":    byText(func(v *messages.InstanceView) string { return v.Flavor.GetId() }),
	"vm_state":            byText(vmState),
	"task_state":          byText(taskState),
	"config_drive":        alike, "auto_disk_config": alike, "kernel_id": alike, "ramdisk_id": alike,
	"launch_index": alike, "locked_by": alike, "progress": alike, "root_device_name": alike,
}

// ignoredSortKeys were let through once, and are still until 2.75.
var ignoredSortKeys = []string{
	"architecture", "cell_name", "cleaned", "default_ephemeral_device", "default_swap_device", "deleted",
	"deleted_at", "disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "id", "key_data", "launched_on",
	"memory_mb", "os_type", "reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus", "vm_mode",
}

// sortsOf reads sort_key and sort_dir, which may come several times.
func sortsOf(r *api.Request, query url.Values) ([]sorting, error) {
	keys, dirs := query["sort_key"], query["sort_dir"]
	if len(keys) == 0 && len(dirs) > 0 {
		keys = []string{"created_at"}
	}
	if len(dirs) > len(keys) {
		return nil, badRequest("Sort direction size exceeds sort key size")
	}
	var sorts []sorting
	for i, key := range keys {
		dir := "desc"
		if len(dirs) > 0 {
			dir = dirs[min(i, len(dirs)-1)]
		}
		if dir != "asc" && dir != "desc" {
			return nil, badRequest("Unknown sort direction, must be one of: asc, desc")
		}
		less, err := sortKey(r, key)
		if err != nil {
			return nil, err
		}
		sorts = append(sorts, sorting{less, dir == "desc"})
	}
	return sorts, nil
}

func sortKey(r *api.Request, key string) (func(a, b *messages.InstanceView) int, error) {
	less, ok := sortKeys[key]
	switch {
	case (key == "host" || key == "node") && !r.Principal.Admin():
		return nil, forbidden("Only administrators can sort servers by %s", key)
	case ok:
		return less, nil
	case key == "locked", slices.Contains(ignoredSortKeys, key) && !r.Version.AtLeast(75):
		return alike, nil
	}
	return nil, badRequest("Invalid input for query parameters sort_key. Value: %s. %s is not a sort key", shown(key), repr(key))
}

// compare is the order asked for; what it leaves open is decided as by default:
// the newest first.
func (q serverQuery) compare(a, b *messages.InstanceView) int {
	for _, s := range q.sorts {
		if c := s.less(a, b); c != 0 {
			if s.desc {
				return -c
			}
			return c
		}
	}
	if c := cmp.Compare(b.CreatedAt, a.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(a.Id, b.Id)
}
