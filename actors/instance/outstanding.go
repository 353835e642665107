package instance

import (
	"maps"
	"slices"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/drivers/guestdata"
	"github.com/troupe-cloud/troupe/messages"
)

// busy says whether outstanding would list anything.
func busy(s State) bool {
	if s.View == nil {
		return false
	}
	return s.View.TaskState != idle || s.leaving() || s.untold() || s.unheard() || s.wantsFollow()
}

// leaving: networks and quota are to be given back, though no task says so.
func (s State) leaving() bool {
	switch {
	case s.Hidden:
		return s.holds()
	case s.View.VmState == failed && s.View.Host == "":
		return slices.ContainsFunc(s.Networks, func(n Network) bool { return n.Held })
	}
	return false
}

// outstanding lists the work in flight. The same list serves the first attempt,
// every retry and every restart.
func outstanding(s State) []actors.Effect {
	if !busy(s) {
		return nil
	}
	return slices.Concat(work(s), dismissals(s), words(s))
}

// work is that of the task.
func work(s State) []actors.Effect {
	if s.leaving() {
		return release(s)
	}
	switch s.View.TaskState {
	case idle:
		return nil
	}
	if s.Drain != nil {
		return nil // words are all there is to be done
	}
	switch s.View.TaskState {
	case rebuilding:
		if s.wantsHost() {
			return place(s)
		}
	case admitting:
		return []actors.Effect{actors.Tell{
			To: projectOf(s),
			Message: &messages.ClaimQuota{
				InstanceId: s.View.Id, Vcpus: s.View.Flavor.Vcpus, RamMib: s.View.Flavor.RamMib,
			},
		}}
	case scheduling, networking:
		return place(s)
	case deleting:
		if s.View.Host == "" {
			return release(s)
		}
	}
	return []actors.Effect{orderHost(s)}
}

func projectOf(s State) actors.Ref { return actors.Ref{Kind: "project", ID: s.View.ProjectId} }

func networkRef(id string) actors.Ref { return actors.Ref{Kind: "network", ID: id} }

// place asks for a host and for addresses at once: neither needs the other.
func place(s State) []actors.Effect {
	var effects []actors.Effect
	if s.wantsHost() {
		effects = append(effects, actors.Tell{To: scheduler.Main, Message: &messages.ScheduleInstance{
			InstanceId: s.View.Id, Attempt: s.Attempt, ExcludedHosts: s.Tried, Shape: shape(s),
		}})
	}
	for _, n := range s.Networks {
		if !n.Got {
			effects = append(effects, actors.Tell{To: networkRef(n.ID), Message: &messages.AllocatePorts{
				InstanceId: s.View.Id, ProjectId: s.View.ProjectId, Requests: n.Requests, Hostname: s.View.Hostname,
			}})
		}
	}
	return effects
}

// release gives back addresses, and the quota too unless the instance stays to
// show its error.
func release(s State) []actors.Effect {
	var effects []actors.Effect
	for _, n := range s.Networks {
		if n.Held && len(s.Said) == 0 { // else a service might list who gets the address next
			effects = append(effects, actors.Tell{To: networkRef(n.ID), Message: &messages.ReleasePorts{InstanceId: s.View.Id}})
		}
	}
	if s.QuotaHeld && (s.Hidden || s.View.TaskState == deleting) {
		effects = append(effects, actors.Tell{To: projectOf(s), Message: &messages.ReleaseQuota{InstanceId: s.View.Id}})
	}
	return effects
}

func orderHost(s State) actors.Effect {
	o := &messages.OrderHost{
		InstanceId: s.View.Id, Order: s.Order, Kind: s.Ordered,
		GraceMs: actions[s.Doing].grace.Milliseconds(),
	}
	if s.Ordered == orderBuild {
		o.Spec, o.Follow = spec(s), machine.Any(s.View.Metadata, s.View.Tags)
	}
	return tell(s.orderedHost(), o)
}

func shape(s State) *messages.ScheduleShape {
	r := &messages.ScheduleShape{
		Vcpus: s.View.Flavor.Vcpus, RamMib: s.View.Flavor.RamMib, DiskGib: s.diskGiB(),
		AvailabilityZone: s.ZoneAsked, Host: s.HostAsked,
	}
	if s.Evac != nil {
		r.Host, r.Storage = s.Evac.Asked, s.Evac.Storage
	}
	return r
}

// diskGiB is what the disk counts on a host: the flavor's, or the image's size
// where the flavor leaves it to the image.
func (s State) diskGiB() int64 {
	f := s.View.Flavor
	if f.DiskGib > 0 {
		return f.DiskGib + f.EphemeralGib
	}
	const gib = 1 << 30
	return (s.View.Image.GetVirtualBytes()+gib-1)/gib + f.EphemeralGib
}

// spec is all that a driver needs: building asks no further question.
func spec(s State) *messages.DomainSpec {
	v := full(s)
	d := &messages.DomainSpec{
		InstanceId: v.Id, Name: v.Name, ProjectId: v.ProjectId, UserId: v.UserId,
		Vcpus: v.Flavor.Vcpus, RamMib: v.Flavor.RamMib, DiskGib: v.Flavor.DiskGib,
		ImageSha256: v.Image.Sha256, ImageFormat: v.Image.Format, ImageId: v.Image.Id,
		ImageSizeBytes: v.Image.SizeBytes, ImageVirtualBytes: v.Image.VirtualBytes,
		ConfigDrive: v.ConfigDrive, Order: s.Order, FlavorName: v.Flavor.Name,
	}
	if s.Evac != nil {
		d.Stopped, d.TakeDisk = s.Evac.Stopped, s.Evac.Storage != ""
	}
	if v.ConfigDrive {
		d.ConfigFiles = maps.Clone(guestdata.Render(v))
	}
	for _, p := range v.Ports {
		d.Nics = append(d.Nics, &messages.DomainNIC{
			PortId: p.Id, Mac: p.Mac, NetworkId: p.NetworkId, Address: p.Address,
			PrefixLength: p.PrefixLength, Gateway: p.Gateway, Mtu: p.Mtu,
		})
	}
	return d
}
