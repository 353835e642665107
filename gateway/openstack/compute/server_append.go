package compute

import (
	"slices"

	"github.com/troupe-cloud/troupe/messages/encode"
)

// AppendJSON is encode.Appender's: a server is what is asked for most. A field
// added to serverView has to be added here; a test compares with encoding/json.
func (s *serverView) AppendJSON(b []byte) ([]byte, error) {
	if s == nil {
		return append(b, "null"...), nil
	}
	o := encode.OpenLoose(b)
	o.Text("id", s.ID)
	o.Text("name", s.Name)
	o.Text("status", s.Status)
	o.Text("tenant_id", s.TenantID)
	o.Text("user_id", s.UserID)
	o.TextMap("metadata", s.Metadata)
	o.Text("hostId", s.HostID)
	anyOf(&o, "image", s.Image)
	anyOf(&o, "flavor", s.Flavor)
	o.Text("created", s.Created)
	o.Text("updated", s.Updated)
	encode.Value(&o, "addresses", networkAddresses(s.Addresses))
	o.Text("accessIPv4", s.AccessIPv4)
	o.Text("accessIPv6", s.AccessIPv6)
	encode.Values(&o, "links", s.Links)
	o.Text("OS-DCF:diskConfig", s.DiskConfig)
	if s.Fault != nil {
		o.Any("fault", s.Fault)
	}
	anyIf(&o, "progress", s.Progress)
	anyIf(&o, "OS-EXT-AZ:availability_zone", s.Zone)
	anyIf(&o, "config_drive", s.ConfigDrive)
	anyIf(&o, "key_name", s.KeyName)
	anyIf(&o, "OS-SRV-USG:launched_at", s.Launched)
	anyIf(&o, "OS-SRV-USG:terminated_at", s.Terminated)
	if len(s.Groups) > 0 {
		encode.Values(&o, "security_groups", s.Groups)
	}
	anyIf(&o, "OS-EXT-STS:task_state", s.TaskState)
	anyIf(&o, "OS-EXT-STS:vm_state", s.VMState)
	anyIf(&o, "OS-EXT-STS:power_state", s.PowerState)
	anyIf(&o, "os-extended-volumes:volumes_attached", s.Volumes)
	anyIf(&o, "OS-EXT-SRV-ATTR:host", s.Host)
	anyIf(&o, "OS-EXT-SRV-ATTR:instance_name", s.InstanceName)
	anyIf(&o, "OS-EXT-SRV-ATTR:hypervisor_hostname", s.HypervisorName)
	anyIf(&o, "OS-EXT-SRV-ATTR:hostname", s.Hostname)
	anyIf(&o, "OS-EXT-SRV-ATTR:kernel_id", s.KernelID)
	anyIf(&o, "OS-EXT-SRV-ATTR:ramdisk_id", s.RamdiskID)
	anyIf(&o, "OS-EXT-SRV-ATTR:launch_index", s.LaunchIndex)
	anyIf(&o, "OS-EXT-SRV-ATTR:reservation_id", s.ReservationID)
	anyIf(&o, "OS-EXT-SRV-ATTR:root_device_name", s.RootDevice)
	anyIf(&o, "OS-EXT-SRV-ATTR:user_data", s.UserData)
	anyIf(&o, "locked", s.Locked)
	anyIf(&o, "host_status", s.HostStatus)
	anyIf(&o, "description", s.Description)
	anyIf(&o, "tags", s.Tags)
	anyIf(&o, "trusted_image_certificates", s.Certificates)
	anyIf(&o, "server_groups", s.ServerGroups)
	anyIf(&o, "locked_reason", s.LockedReason)
	anyIf(&o, "pinned_availability_zone", s.PinnedZone)
	return o.Close()
}

// anyIf writes a field of type any unless it is nil.
func anyIf(o *encode.Object, name string, v any) {
	if v != nil {
		anyOf(o, name, v)
	}
}

// anyOf writes a field of type any. What the view does not use is left to reflection.
func anyOf(o *encode.Object, name string, v any) {
	switch v := v.(type) {
	case string:
		o.Text(name, v)
	case *string:
		if v != nil {
			o.Text(name, *v)
		} else {
			o.Null(name)
		}
	case bool:
		o.Bool(name, v)
	case int:
		o.Int(name, int64(v))
	case int32:
		o.Int(name, int64(v))
	case []string:
		o.Texts(name, v)
	case encode.Appender:
		encode.Value(o, name, v)
	default:
		o.Any(name, v)
	}
}

// AppendJSON is encode.Appender's.
func (l link) AppendJSON(b []byte) ([]byte, error) {
	o := encode.OpenLoose(b)
	o.Text("rel", l.Rel)
	o.Text("href", l.Href)
	o.TextIf("type", l.Type)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (g securityGroup) AppendJSON(b []byte) ([]byte, error) {
	o := encode.OpenLoose(b)
	o.Text("name", g.Name)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (i imageView) AppendJSON(b []byte) ([]byte, error) {
	o := encode.OpenLoose(b)
	o.Text("id", i.ID)
	encode.Values(&o, "links", i.Links)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (f flavorLink) AppendJSON(b []byte) ([]byte, error) { return imageView(f).AppendJSON(b) }

// AppendJSON is encode.Appender's.
func (f flavorOf) AppendJSON(b []byte) ([]byte, error) {
	o := encode.OpenLoose(b)
	o.Int("vcpus", int64(f.VCPUs))
	o.Int("ram", f.RAM)
	o.Int("disk", f.Disk)
	o.Int("ephemeral", f.Ephemeral)
	o.Int("swap", f.Swap)
	o.Text("original_name", f.Name)
	o.TextMap("extra_specs", f.ExtraSpecs)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (a addressed) AppendJSON(b []byte) ([]byte, error) {
	o := encode.OpenLoose(b)
	o.Int("version", int64(a.Version))
	o.Text("addr", a.Addr)
	o.TextIf("OS-EXT-IPS:type", a.Type)
	o.TextIf("OS-EXT-IPS-MAC:mac_addr", a.MAC)
	return o.Close()
}

// networkAddresses are a server's addresses by the name of their network.
type networkAddresses map[string][]addressed

// AppendJSON is encode.Appender's. Names are valid UTF-8: the network's actor
// takes no others.
func (n networkAddresses) AppendJSON(b []byte) ([]byte, error) {
	if n == nil {
		return append(b, "null"...), nil
	}
	names := make([]string, 0, len(n))
	for name := range n {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(encode.AppendLoose(b, name), ':', '[')
		for j, a := range n[name] {
			if j > 0 {
				b = append(b, ',')
			}
			b, _ = a.AppendJSON(b) // numbers and texts: no error
		}
		b = append(b, ']')
	}
	return append(b, '}'), nil
}

// AppendJSON is encode.Appender's.
func (s serverBody) AppendJSON(b []byte) ([]byte, error) {
	o := encode.OpenLoose(b)
	encode.Value(&o, "server", s.Server)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (s serversBody) AppendJSON(b []byte) ([]byte, error) {
	o := encode.OpenLoose(b)
	encode.Values(&o, "servers", s.Servers)
	if len(s.Links) > 0 {
		encode.Values(&o, "servers_links", s.Links)
	}
	return o.Close()
}
