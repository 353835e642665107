package compute

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type matcher = func(*messages.InstanceView) bool

// filter is one parameter that keeps some servers of a list.
type filter struct {
	since  int // the minor version that brought it
	others int // from which one on those who are no administrators may use it; 0: never
	build  func(value, name string) (matcher, error)
}

func (f filter) allowed(r *api.Request) bool {
	return r.Principal.Admin() || f.others > 0 && r.Version.AtLeast(f.others)
}

// serverFilters are the filters of server lists (API reference, "List
// Servers"). Those without a build are known and change nothing: they are read
// elsewhere, or every server here is alike in them.
var serverFilters = map[string]filter{
	"name":                byPattern(1, func(v *messages.InstanceView) string { return v.Name }),
	"display_name":        byPattern(0, func(v *messages.InstanceView) string { return v.Name }),
	"description":         byPattern(0, func(v *messages.InstanceView) string { return v.Description }),
	"display_description": byPattern(0, func(v *messages.InstanceView) string { return v.Description }),
	"hostname":            byPattern(0, func(v *messages.InstanceView) string { return v.Hostname }),
	"reservation_id":      byValue(1, func(v *messages.InstanceView) string { return v.ReservationId }),
	"image":               byValue(1, func(v *messages.InstanceView) string { return v.Image.GetId() }),
	"image_ref":           byValue(0, func(v *messages.InstanceView) string { return v.Image.GetId() }),
	"flavor":              byValue(1, func(v *messages.InstanceView) string { return v.Flavor.GetId() }),
	"host":                byValue(0, func(v *messages.InstanceView) string { return v.Host }),
	"node":                byValue(0, func(v *messages.InstanceView) string { return v.HypervisorHostname }),
	"uuid":                byValue(0, func(v *messages.InstanceView) string { return v.Id }),
	"user_id":             byValue(83, func(v *messages.InstanceView) string { return v.UserId }),
	"key_name":            byValue(83, func(v *messages.InstanceView) string { return v.KeyName }),
	"availability_zone":   byValue(83, func(v *messages.InstanceView) string { return v.AvailabilityZone }),
	"vm_state":            byValue(83, vmState),
	"task_state":          byValue(83, taskState),
	"launched_at":         byValue(83, func(v *messages.InstanceView) string { return fineText(v.LaunchedAt) }),
	"terminated_at":       byValue(83, func(v *messages.InstanceView) string { return fineText(v.DeletedAt) }),
	"created_at":          byValue(83, func(v *messages.InstanceView) string { return stamp(v.CreatedAt) }),
	"access_ip_v4":        byPattern(0, func(v *messages.InstanceView) string { return v.AccessIpv4 }),
	"access_ip_v6":        byPattern(0, func(v *messages.InstanceView) string { return v.AccessIpv6 }),
	"ip":                  {others: 1, build: byAddress(4)},
	"ip6":                 {others: 5, build: byAddress(6)},
	"power_state":         {others: 83, build: byPower},
	"config_drive":        {others: 83, build: byConfigDrive},
	"progress":            {others: 83, build: byConstant("0")},
	"launch_index":        {build: byConstant("0")},
	"root_device_name":    {build: byConstant("/dev/vda")},
	"kernel_id":           {build: byConstant("")},
	"ramdisk_id":          {build: byConstant("")},
	"locked_by":           {build: byConstant("")},
	"auto_disk_config":    {build: anyValue},
	"locked":              {since: 73, others: 73, build: byLock},
	"changes-since":       {others: 1, build: byChange(false)},
	"changes-before":      {since: 66, others: 66, build: byChange(true)},
	"tags":                {since: 26, others: 26, build: byTags(hasAll, true)},
	"tags-any":            {since: 26, others: 26, build: byTags(hasAny, true)},
	"not-tags":            {since: 26, others: 26, build: byTags(hasAll, false)},
	"not-tags-any":        {since: 26, others: 26, build: byTags(hasAny, false)},
	"soft_deleted":        {build: anyValue},
	"project_id":          {build: anyValue}, // with all_tenants: listedProject
	"tenant_id":           {build: anyValue},
}

func anyValue(string, string) (matcher, error) { return nil, nil }

func byValue(others int, field func(*messages.InstanceView) string) filter {
	return filter{others: others, build: func(value, _ string) (matcher, error) {
		return func(v *messages.InstanceView) bool { return field(v) == value }, nil
	}}
}

func byConstant(is string) func(string, string) (matcher, error) {
	return func(value, _ string) (matcher, error) {
		return func(*messages.InstanceView) bool { return value == is }, nil
	}
}

// byPattern matches a regular expression anywhere in the field, whatever the
// case. Go's expressions take linear time, so a caller cannot stall us with one.
func byPattern(others int, field func(*messages.InstanceView) string) filter {
	return filter{others: others, build: func(value, name string) (matcher, error) {
		re, err := pattern(value, name)
		if err != nil {
			return nil, err
		}
		return func(v *messages.InstanceView) bool { return re.MatchString(field(v)) }, nil
	}}
}

// maxPattern is how long a pattern may be, in bytes.
const maxPattern = 1024

func pattern(value, name string) (*regexp.Regexp, error) {
	re, err := regexp.Compile("(?i)" + value)
	if err != nil || value == "" || len(value) > maxPattern {
		return nil, badRequest("Invalid input for query parameters %s. Value: %s. %s is not a 'regex'", name, shown(value), repr(value))
	}
	return re, nil
}

func byAddress(version int) func(string, string) (matcher, error) {
	return func(value, name string) (matcher, error) {
		re, err := pattern(value, name)
		if err != nil {
			return nil, err
		}
		return func(v *messages.InstanceView) bool {
			return slices.ContainsFunc(v.Ports, func(p *messages.Port) bool {
				return strings.Contains(p.Address, ":") == (version == 6) && re.MatchString(p.Address)
			})
		}, nil
	}
}

func byPower(value, _ string) (matcher, error) {
	n, err := strconv.Atoi(value)
	return func(v *messages.InstanceView) bool { return err == nil && int(v.PowerState) == n }, nil
}

func byConfigDrive(value, _ string) (matcher, error) {
	yes, err := truth(value)
	return func(v *messages.InstanceView) bool { return err == nil && v.ConfigDrive == yes }, nil
}

// byLock: no server here is ever locked.
func byLock(value, _ string) (matcher, error) {
	yes, err := truth(value)
	return func(*messages.InstanceView) bool { return !yes }, err
}

func byChange(before bool) func(string, string) (matcher, error) {
	return func(value, name string) (matcher, error) {
		t, err := moment(value, name)
		if err != nil {
			return nil, err
		}
		return func(v *messages.InstanceView) bool {
			if before {
				return !time.Unix(0, v.UpdatedAt).After(t)
			}
			return !time.Unix(0, v.UpdatedAt).Before(t)
		}, nil
	}
}

// layouts are how the API takes times, in ISO 8601; without a zone it is UTC.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07",
	"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05.999999999", "2006-01-02",
}

func moment(value, name string) (time.Time, error) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, value); err == nil {
			return t, nil
		}
	}
	return time.Time{}, badRequest("Invalid input for query parameters %s. Value: %s. %s is not a 'date-time'", name, shown(value), repr(value))
}

// checkPeriod refuses a period that ends before it begins.
func checkPeriod(query url.Values, r *api.Request) error {
	if !r.Version.AtLeast(66) || !query.Has("changes-since") || !query.Has("changes-before") {
		return nil
	}
	since, err := moment(query.Get("changes-since"), "changes-since")
	if err != nil {
		return err
	}
	before, err := moment(query.Get("changes-before"), "changes-before")
	if err != nil {
		return err
	}
	if before.Before(since) {
		return badRequest("The value of changes-since must be less than or equal to changes-before.")
	}
	return nil
}

func hasAll(tags, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(t string) bool { return !slices.Contains(tags, t) })
}

func hasAny(tags, wanted []string) bool {
	return slices.ContainsFunc(wanted, func(t string) bool { return slices.Contains(tags, t) })
}

func byTags(test func(tags, wanted []string) bool, keep bool) func(string, string) (matcher, error) {
	return func(value, _ string) (matcher, error) {
		wanted := strings.Split(value, ",")
		return func(v *messages.InstanceView) bool { return test(v.Tags, wanted) == keep }, nil
	}
}

func fineText(ns int64) string {
	if s, ok := fineStamp(ns).(string); ok {
		return s
	}
	return ""
}
