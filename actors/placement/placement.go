// Package placement decides where a virtual machine may run and where it had
// best run: filters that keep or drop a host, weighers that score what is left,
// and the claim that a choice makes. It holds no state and asks nobody; the
// scheduler and the hosts use it, so both judge by the same rules.
package placement

import "github.com/troupe-cloud/troupe/messages"

// Host is what a filter or weigher may read of a hypervisor.
type Host struct{ *messages.HostFacts }

// Request is what it may read of the wish.
type Request struct {
	*messages.ScheduleShape
	Instance string
	Excluded []string // hosts that were tried
}

// Key tells shapes apart: requests of equal keys are evaluated together.
type Key struct {
	vcpus            int32
	ramMiB, diskGiB  int64
	zone, host, arch string
	storage          string
}

// KeyOf is the shape's key.
func KeyOf(s *messages.ScheduleShape) Key {
	return Key{s.Vcpus, s.RamMib, s.DiskGib, s.AvailabilityZone, s.Host, s.Arch, s.Storage}
}

// Ratios are how many times over a resource may be promised.
type Ratios struct{ CPU, RAM, Disk float64 }

// DefaultRatios are Nova's: CPU time is shared, memory and disk are not.
var DefaultRatios = Ratios{CPU: 16, RAM: 1, Disk: 1}

// FreeVCPUs, FreeRAMMiB and FreeDiskGiB are what is left after overcommit.
func (h Host) FreeVCPUs() int64 {
	return int64(float64(h.Vcpus)*DefaultRatios.CPU) - int64(h.VcpusUsed)
}

// FreeRAMMiB is the memory left after overcommit, in MiB.
func (h Host) FreeRAMMiB() int64 {
	return int64(float64(h.RamMib)*DefaultRatios.RAM) - h.RamMibUsed
}

// FreeDiskGiB is the disk left after overcommit, in GiB.
func (h Host) FreeDiskGiB() int64 {
	return int64(float64(h.DiskGib)*DefaultRatios.Disk) - h.DiskGibUsed
}

// Fits names the resource that the host lacks for the shape; "" if it fits.
func Fits(r *messages.ScheduleShape, f *messages.HostFacts) string {
	req, h := Request{ScheduleShape: r}, Host{f}
	switch {
	case !ramFilter(req, h):
		return "memory"
	case !coreFilter(req, h):
		return "vcpus"
	case !diskFilter(req, h):
		return "disk"
	}
	return ""
}

// Claimed is f after one more machine of the shape, as the next choice must see it.
func Claimed(r *messages.ScheduleShape, f *messages.HostFacts) *messages.HostFacts {
	return &messages.HostFacts{
		Name: f.Name, AvailabilityZone: f.AvailabilityZone, Up: f.Up, Disabled: f.Disabled,
		Vcpus: f.Vcpus, VcpusUsed: f.VcpusUsed + r.Vcpus,
		RamMib: f.RamMib, RamMibUsed: f.RamMibUsed + r.RamMib,
		DiskGib: f.DiskGib, DiskGibUsed: f.DiskGibUsed + r.DiskGib,
		Instances: f.Instances + 1, Building: f.Building + 1,
		Arch: f.Arch, HypervisorType: f.HypervisorType, ForcedDown: f.ForcedDown, Storage: f.Storage,
	}
}
