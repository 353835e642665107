package messages

// What actors keep is never changed, only replaced; so a changed copy may share
// whatever its fields point to. proto.Clone copies that too, which for an instance
// is fifteen objects at every step. A field added to one of these messages has to
// be added here: a test fills every field and compares.

// Copy is another view with the same fields; what they point to must not be changed.
func (x *InstanceView) Copy() *InstanceView {
	return &InstanceView{
		Id: x.Id, Name: x.Name, ProjectId: x.ProjectId, UserId: x.UserId, VmState: x.VmState,
		TaskState: x.TaskState, PowerState: x.PowerState, Host: x.Host, HypervisorHostname: x.HypervisorHostname,
		Flavor: x.Flavor, Image: x.Image, KeyName: x.KeyName, Ports: x.Ports, Metadata: x.Metadata, Tags: x.Tags,
		AvailabilityZone: x.AvailabilityZone, ConfigDrive: x.ConfigDrive, Description: x.Description,
		Hostname: x.Hostname, SecurityGroups: x.SecurityGroups, ReservationId: x.ReservationId,
		DiskConfig: x.DiskConfig, CreatedAt: x.CreatedAt, UpdatedAt: x.UpdatedAt, LaunchedAt: x.LaunchedAt,
		DeletedAt: x.DeletedAt, Fault: x.Fault, UserData: x.UserData, AdminPassword: x.AdminPassword,
		PublicKey: x.PublicKey, AccessIpv4: x.AccessIpv4, AccessIpv6: x.AccessIpv6, ZoneAsked: x.ZoneAsked,
		GroupId:       x.GroupId,
		unknownFields: x.unknownFields,
	}
}

// Copy is another record with the same fields; what they point to must not be changed.
func (x *ActionRecord) Copy() *ActionRecord {
	return &ActionRecord{
		Action: x.Action, RequestId: x.RequestId, UserId: x.UserId, ProjectId: x.ProjectId, StartedAt: x.StartedAt,
		UpdatedAt: x.UpdatedAt, FinishedAt: x.FinishedAt, Message: x.Message, Events: x.Events,
		unknownFields: x.unknownFields,
	}
}

// Copy is another event with the same fields.
func (x *ActionEvent) Copy() *ActionEvent {
	return &ActionEvent{
		Event: x.Event, StartedAt: x.StartedAt, FinishedAt: x.FinishedAt, Result: x.Result, Details: x.Details,
		Host: x.Host, unknownFields: x.unknownFields,
	}
}
