package messages

import "github.com/troupe-cloud/troupe/messages/encode"

// The messages that actors keep in their states, written as encoding/json writes
// them. A field added to one of them has to be added here: a test fills every
// field and compares.

// AppendJSON is encode.Appender's.
func (x *InstanceView) AppendJSON(b []byte) ([]byte, error) {
	if x == nil {
		return append(b, "null"...), nil
	}
	o := encode.Open(b)
	o.TextIf("id", x.Id)
	o.TextIf("name", x.Name)
	o.TextIf("project_id", x.ProjectId)
	o.TextIf("user_id", x.UserId)
	o.IntIf("vm_state", int64(x.VmState))
	o.IntIf("task_state", int64(x.TaskState))
	o.IntIf("power_state", int64(x.PowerState))
	o.TextIf("host", x.Host)
	o.TextIf("hypervisor_hostname", x.HypervisorHostname)
	if x.Flavor != nil {
		encode.Value(&o, "flavor", x.Flavor)
	}
	if x.Image != nil {
		encode.Value(&o, "image", x.Image)
	}
	o.TextIf("key_name", x.KeyName)
	if len(x.Ports) > 0 {
		encode.Values(&o, "ports", x.Ports)
	}
	o.TextMapIf("metadata", x.Metadata)
	o.TextsIf("tags", x.Tags)
	o.TextIf("availability_zone", x.AvailabilityZone)
	o.BoolIf("config_drive", x.ConfigDrive)
	o.TextIf("description", x.Description)
	o.TextIf("hostname", x.Hostname)
	o.TextsIf("security_groups", x.SecurityGroups)
	o.TextIf("reservation_id", x.ReservationId)
	o.TextIf("disk_config", x.DiskConfig)
	o.IntIf("created_at", x.CreatedAt)
	o.IntIf("updated_at", x.UpdatedAt)
	o.IntIf("launched_at", x.LaunchedAt)
	o.IntIf("deleted_at", x.DeletedAt)
	if x.Fault != nil {
		o.Any("fault", x.Fault)
	}
	if len(x.UserData) > 0 {
		o.Any("user_data", x.UserData)
	}
	o.TextIf("admin_password", x.AdminPassword)
	o.TextIf("public_key", x.PublicKey)
	o.TextIf("access_ipv4", x.AccessIpv4)
	o.TextIf("access_ipv6", x.AccessIpv6)
	o.TextIf("zone_asked", x.ZoneAsked)
	o.TextIf("group_id", x.GroupId)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (x *Flavor) AppendJSON(b []byte) ([]byte, error) {
	if x == nil {
		return append(b, "null"...), nil
	}
	o := encode.Open(b)
	o.TextIf("id", x.Id)
	o.TextIf("name", x.Name)
	o.IntIf("vcpus", int64(x.Vcpus))
	o.IntIf("ram_mib", x.RamMib)
	o.IntIf("disk_gib", x.DiskGib)
	o.IntIf("ephemeral_gib", x.EphemeralGib)
	o.IntIf("swap_mib", x.SwapMib)
	if x.RxtxFactor == 1 {
		o.Int("rxtx_factor", 1)
	} else if x.RxtxFactor != 0 {
		o.Any("rxtx_factor", x.RxtxFactor)
	}
	o.BoolIf("public", x.Public)
	o.BoolIf("disabled", x.Disabled)
	o.TextIf("description", x.Description)
	o.TextMapIf("extra_specs", x.ExtraSpecs)
	o.TextsIf("access", x.Access)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (x *ImageRef) AppendJSON(b []byte) ([]byte, error) {
	if x == nil {
		return append(b, "null"...), nil
	}
	o := encode.Open(b)
	o.TextIf("id", x.Id)
	o.TextIf("name", x.Name)
	o.TextIf("sha256", x.Sha256)
	o.TextIf("format", x.Format)
	o.IntIf("size_bytes", x.SizeBytes)
	o.IntIf("virtual_bytes", x.VirtualBytes)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (x *Port) AppendJSON(b []byte) ([]byte, error) {
	if x == nil {
		return append(b, "null"...), nil
	}
	o := encode.Open(b)
	o.TextIf("id", x.Id)
	o.TextIf("network_id", x.NetworkId)
	o.TextIf("network_name", x.NetworkName)
	o.TextIf("mac", x.Mac)
	o.TextIf("address", x.Address)
	o.IntIf("prefix_length", int64(x.PrefixLength))
	o.TextIf("gateway", x.Gateway)
	o.TextsIf("nameservers", x.Nameservers)
	o.IntIf("mtu", int64(x.Mtu))
	o.TextIf("subnet_id", x.SubnetId)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (x *NetworkRequest) AppendJSON(b []byte) ([]byte, error) {
	if x == nil {
		return append(b, "null"...), nil
	}
	o := encode.Open(b)
	o.TextIf("network_id", x.NetworkId)
	o.TextIf("port_id", x.PortId)
	o.TextIf("fixed_ip", x.FixedIp)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (x *ActionRecord) AppendJSON(b []byte) ([]byte, error) {
	if x == nil {
		return append(b, "null"...), nil
	}
	o := encode.Open(b)
	o.TextIf("action", x.Action)
	o.TextIf("request_id", x.RequestId)
	o.TextIf("user_id", x.UserId)
	o.TextIf("project_id", x.ProjectId)
	o.IntIf("started_at", x.StartedAt)
	o.IntIf("updated_at", x.UpdatedAt)
	o.IntIf("finished_at", x.FinishedAt)
	o.TextIf("message", x.Message)
	if len(x.Events) > 0 {
		encode.Values(&o, "events", x.Events)
	}
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (x *ActionEvent) AppendJSON(b []byte) ([]byte, error) {
	if x == nil {
		return append(b, "null"...), nil
	}
	o := encode.Open(b)
	o.TextIf("event", x.Event)
	o.IntIf("started_at", x.StartedAt)
	o.IntIf("finished_at", x.FinishedAt)
	o.TextIf("result", x.Result)
	o.TextIf("details", x.Details)
	o.TextIf("host", x.Host)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (x *DomainSpec) AppendJSON(b []byte) ([]byte, error) {
	if x == nil {
		return append(b, "null"...), nil
	}
	o := encode.Open(b)
	o.TextIf("instance_id", x.InstanceId)
	o.TextIf("name", x.Name)
	o.TextIf("project_id", x.ProjectId)
	o.TextIf("user_id", x.UserId)
	o.IntIf("vcpus", int64(x.Vcpus))
	o.IntIf("ram_mib", x.RamMib)
	o.IntIf("disk_gib", x.DiskGib)
	o.TextIf("image_sha256", x.ImageSha256)
	o.TextIf("image_format", x.ImageFormat)
	o.IntIf("image_size_bytes", x.ImageSizeBytes)
	o.IntIf("image_virtual_bytes", x.ImageVirtualBytes)
	if len(x.Nics) > 0 {
		encode.Values(&o, "nics", x.Nics)
	}
	o.BoolIf("config_drive", x.ConfigDrive)
	if len(x.ConfigFiles) > 0 {
		o.Any("config_files", x.ConfigFiles)
	}
	if x.Order != 0 {
		o.Uint("order", x.Order)
	}
	o.TextIf("flavor_name", x.FlavorName)
	o.TextIf("image_id", x.ImageId)
	if x.Epoch != 0 {
		o.Uint("epoch", x.Epoch)
	}
	o.BoolIf("stopped", x.Stopped)
	o.BoolIf("take_disk", x.TakeDisk)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (x *DomainNIC) AppendJSON(b []byte) ([]byte, error) {
	if x == nil {
		return append(b, "null"...), nil
	}
	o := encode.Open(b)
	o.TextIf("port_id", x.PortId)
	o.TextIf("mac", x.Mac)
	o.TextIf("network_id", x.NetworkId)
	o.TextIf("address", x.Address)
	o.IntIf("prefix_length", int64(x.PrefixLength))
	o.TextIf("gateway", x.Gateway)
	o.IntIf("mtu", int64(x.Mtu))
	return o.Close()
}
