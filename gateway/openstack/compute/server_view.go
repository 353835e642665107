package compute

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// null is shown where a field is there but empty: an interface that is nil is
// left out by omitempty, one that holds a nil pointer is not.
var null any = (*string)(nil)

// orNull is s, or null if it is empty.
func orNull(s string) any {
	if s == "" {
		return null
	}
	return s
}

// serverView is a server as the API shows it. Fields of type any are left out
// where they are nil: the microversion or the caller's role is without them.
type serverView struct {
	ID          string                 `json:"id"`
	Name        string                 `json:"name"`
	Status      string                 `json:"status"`
	TenantID    string                 `json:"tenant_id"`
	UserID      string                 `json:"user_id"`
	Metadata    map[string]string      `json:"metadata"`
	HostID      string                 `json:"hostId"`
	Image       any                    `json:"image"`
	Flavor      any                    `json:"flavor"`
	Created     string                 `json:"created"`
	Updated     string                 `json:"updated"`
	Addresses   map[string][]addressed `json:"addresses"`
	AccessIPv4  string                 `json:"accessIPv4"`
	AccessIPv6  string                 `json:"accessIPv6"`
	Links       []link                 `json:"links"`
	DiskConfig  string                 `json:"OS-DCF:diskConfig"`
	Fault       *faultView             `json:"fault,omitempty"`
	Progress    any                    `json:"progress,omitempty"`
	Zone        any                    `json:"OS-EXT-AZ:availability_zone,omitempty"`
	ConfigDrive any                    `json:"config_drive,omitempty"`
	KeyName     any                    `json:"key_name,omitempty"`
	Launched    any                    `json:"OS-SRV-USG:launched_at,omitempty"`
	Terminated  any                    `json:"OS-SRV-USG:terminated_at,omitempty"`
	Groups      []securityGroup        `json:"security_groups,omitempty"`
	TaskState   any                    `json:"OS-EXT-STS:task_state,omitempty"`
	VMState     any                    `json:"OS-EXT-STS:vm_state,omitempty"`
	PowerState  any                    `json:"OS-EXT-STS:power_state,omitempty"`
	Volumes     any                    `json:"os-extended-volumes:volumes_attached,omitempty"`

	Host           any `json:"OS-EXT-SRV-ATTR:host,omitempty"`
	InstanceName   any `json:"OS-EXT-SRV-ATTR:instance_name,omitempty"`
	HypervisorName any `json:"OS-EXT-SRV-ATTR:hypervisor_hostname,omitempty"`
	Hostname       any `json:"OS-EXT-SRV-ATTR:hostname,omitempty"`
	KernelID       any `json:"OS-EXT-SRV-ATTR:kernel_id,omitempty"`
	RamdiskID      any `json:"OS-EXT-SRV-ATTR:ramdisk_id,omitempty"`
	LaunchIndex    any `json:"OS-EXT-SRV-ATTR:launch_index,omitempty"`
	ReservationID  any `json:"OS-EXT-SRV-ATTR:reservation_id,omitempty"`
	RootDevice     any `json:"OS-EXT-SRV-ATTR:root_device_name,omitempty"`
	UserData       any `json:"OS-EXT-SRV-ATTR:user_data,omitempty"`

	Locked       any `json:"locked,omitempty"`
	HostStatus   any `json:"host_status,omitempty"`
	Description  any `json:"description,omitempty"`
	Tags         any `json:"tags,omitempty"`
	Certificates any `json:"trusted_image_certificates,omitempty"`
	ServerGroups any `json:"server_groups,omitempty"`
	LockedReason any `json:"locked_reason,omitempty"`
	PinnedZone   any `json:"pinned_availability_zone,omitempty"`
}

type addressed struct {
	Version int    `json:"version"`
	Addr    string `json:"addr"`
	Type    string `json:"OS-EXT-IPS:type,omitempty"`
	MAC     string `json:"OS-EXT-IPS-MAC:mac_addr,omitempty"`
}

type imageView struct {
	ID    string `json:"id"`
	Links []link `json:"links"`
}

type faultView struct {
	Code    int32  `json:"code"`
	Created string `json:"created"`
	Message string `json:"message"`
	Details string `json:"details,omitempty"`
}

// flavorOf is the flavor as it was when the server was made, from 2.47.
type flavorOf struct {
	VCPUs      int32             `json:"vcpus"`
	RAM        int64             `json:"ram"`
	Disk       int64             `json:"disk"`
	Ephemeral  int64             `json:"ephemeral"`
	Swap       int64             `json:"swap"`
	Name       string            `json:"original_name"`
	ExtraSpecs map[string]string `json:"extra_specs"`
}

type flavorLink struct {
	ID    string `json:"id"`
	Links []link `json:"links"`
}

// Values that every server has alike, boxed once.
var (
	zero     any = 0
	no       any = false
	noText   any = ""
	noItems  any = []string{}
	vda      any = "/dev/vda"
	zeroLong any = int32(0)
)

// Which parts of a server an answer has, besides those that all have.
type parts struct {
	all    bool // what PUT leaves out before 2.75
	groups bool // the server groups, which lists leave out
}

// server renders v for r.
func server(r *api.Request, v *messages.InstanceView, p parts) *serverView {
	s := &serverView{
		ID: v.Id, Name: v.Name, Status: status(v), TenantID: v.ProjectId, UserID: v.UserId,
		Metadata: orEmpty(v.Metadata), HostID: hostID(v.ProjectId, v.Host),
		Image: imageOf(r, v), Flavor: flavorShown(r, v.Flavor),
		Created: stamp(v.CreatedAt), Updated: stamp(v.UpdatedAt),
		Addresses: addresses(v, p.all), AccessIPv4: v.AccessIpv4, AccessIPv6: v.AccessIpv6,
		Links: links(r, "servers", v.Id), DiskConfig: v.DiskConfig,
	}
	switch s.Status {
	case "ERROR", "DELETED":
		s.Fault = faultOf(r, v.Fault)
	case "ACTIVE":
		s.Progress = zero
	case "BUILD":
		s.Progress = zero
	}
	if s.DiskConfig == "" {
		s.DiskConfig = "MANUAL"
	}
	if p.all {
		s.addExtensions(v)
		if r.Principal.Admin() {
			s.addAttributes(r, v)
		}
	}
	s.addByVersion(r, v, p)
	return s
}

// addExtensions adds what were extensions once, and every caller may see.
func (s *serverView) addExtensions(v *messages.InstanceView) {
	s.Zone, s.ConfigDrive, s.KeyName = v.AvailabilityZone, noText, orNull(v.KeyName)
	if v.ConfigDrive {
		s.ConfigDrive = "True"
	}
	s.Launched, s.Terminated = fineStamp(v.LaunchedAt), fineStamp(v.DeletedAt)
	s.Groups = groups(v.SecurityGroups)
	s.VMState, s.TaskState, s.PowerState = vmState(v), orNull(taskState(v)), powerState(v.PowerState)
	s.Volumes = noItems
}

// addAttributes adds what only administrators may see.
func (s *serverView) addAttributes(r *api.Request, v *messages.InstanceView) {
	s.Host, s.HypervisorName = orNull(v.Host), orNull(v.HypervisorHostname)
	s.InstanceName = "instance-" + v.Id
	if !r.Version.AtLeast(3) {
		return
	}
	s.Hostname, s.KernelID, s.RamdiskID, s.LaunchIndex = v.Hostname, noText, noText, zero
	s.ReservationID, s.RootDevice = v.ReservationId, vda
	s.UserData = null
	if len(v.UserData) > 0 {
		s.UserData = base64.StdEncoding.EncodeToString(v.UserData)
	}
}

// addByVersion adds what came with a microversion.
func (s *serverView) addByVersion(r *api.Request, v *messages.InstanceView, p parts) {
	at := r.Version.AtLeast
	if at(9) {
		s.Locked = no
	}
	if at(19) {
		s.Description = orNull(v.Description)
	}
	if at(26) {
		s.Tags = noItems
		if len(v.Tags) > 0 {
			s.Tags = v.Tags
		}
	}
	if at(63) {
		s.Certificates = null
	}
	if at(71) && p.groups {
		s.ServerGroups = noItems
	}
	if at(73) {
		s.LockedReason = null
	}
	if at(90) {
		s.Hostname = v.Hostname
	}
	if at(96) && p.all {
		s.PinnedZone = orNull(v.ZoneAsked)
	}
}

func powerState(p messages.PowerState) any {
	if p == 0 {
		return zeroLong
	}
	return int32(p)
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func imageOf(r *api.Request, v *messages.InstanceView) any {
	if v.Image.GetId() == "" {
		return noText
	}
	return imageView{ID: v.Image.Id, Links: []link{bookmark(r, "images", v.Image.Id)}}
}

func flavorShown(r *api.Request, f *messages.Flavor) any {
	if r.Version.AtLeast(47) {
		return flavorOf{
			VCPUs: f.GetVcpus(), RAM: f.GetRamMib(), Disk: f.GetDiskGib(), Ephemeral: f.GetEphemeralGib(),
			Swap: f.GetSwapMib(), Name: f.GetName(), ExtraSpecs: orEmpty(f.GetExtraSpecs()),
		}
	}
	return flavorLink{ID: f.GetId(), Links: []link{bookmark(r, "flavors", f.GetId())}}
}

// faultOf leaves the details, which may name hosts and paths, to administrators.
func faultOf(r *api.Request, f *messages.Fault) *faultView {
	if f == nil {
		return nil
	}
	v := &faultView{Code: f.Code, Created: stamp(f.At), Message: f.Message}
	if r.Principal.Admin() {
		v.Details = f.Details
	}
	return v
}

// addresses lists the addresses by network. A server being built has none to
// show yet, as in Nova.
func addresses(v *messages.InstanceView, extended bool) map[string][]addressed {
	out := make(map[string][]addressed, len(v.Ports))
	if v.VmState == messages.VMState_VM_STATE_BUILDING {
		return out
	}
	for _, p := range v.Ports {
		a := addressed{Version: 4, Addr: p.Address}
		if strings.Contains(p.Address, ":") {
			a.Version = 6
		}
		if extended {
			a.Type, a.MAC = "fixed", p.Mac
		}
		out[p.NetworkName] = append(out[p.NetworkName], a)
	}
	return out
}

// hostID stands for the host without giving away its name: the same for two
// servers of one project on one host, and for no others.
func hostID(project, host string) string {
	if host == "" {
		return ""
	}
	sum := sha256.Sum224([]byte(project + host))
	return hex.EncodeToString(sum[:])
}

// stamp is a time, in Unix nanoseconds, as the API shows it.
func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }

// fineStamp is a time with microseconds and without a zone, or null.
func fineStamp(ns int64) any {
	if ns == 0 {
		return null
	}
	return time.Unix(0, ns).UTC().Format(fineLayout)
}

const fineLayout = "2006-01-02T15:04:05.000000"
