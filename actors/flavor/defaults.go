package flavor

import "github.com/troupe-cloud/troupe/messages"

// Defaults are the flavors that a new cloud starts with: those every user of
// OpenStack knows by name, and two that are small enough for test images.
func Defaults() []*messages.Flavor {
	sizes := []struct {
		id, name        string
		vcpus           int32
		ramMiB, diskGiB int64
	}{
		{"t1.nano", "t1.nano", 1, 64, 0},
		{"t1.micro", "t1.micro", 1, 128, 1},
		{"1", "m1.tiny", 1, 512, 1},
		{"2", "m1.small", 1, 2048, 20},
		{"3", "m1.medium", 2, 4096, 40},
		{"4", "m1.large", 4, 8192, 80},
		{"5", "m1.xlarge", 8, 16384, 160},
	}
	flavors := make([]*messages.Flavor, 0, len(sizes))
	for _, s := range sizes {
		flavors = append(flavors, &messages.Flavor{
			Id: s.id, Name: s.name, Vcpus: s.vcpus, RamMib: s.ramMiB, DiskGib: s.diskGiB,
			RxtxFactor: 1, Public: true,
		})
	}
	return flavors
}
