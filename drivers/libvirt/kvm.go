package libvirt

import (
	"bytes"
	"os"
)

// domainType is "kvm" only where the processor really has it: /dev/kvm and
// libvirt's capabilities may both promise a KVM in which no guest ever runs.
func domainType(cpuinfo []byte, open func() error) string {
	for line := range bytes.Lines(cpuinfo) {
		key, flags, _ := bytes.Cut(line, []byte(":"))
		if string(bytes.TrimSpace(key)) != "flags" {
			continue
		}
		for _, f := range bytes.Fields(flags) {
			if s := string(f); (s == "vmx" || s == "svm") && open() == nil {
				return "kvm"
			}
		}
		break
	}
	return "qemu"
}

// hostDomainType asks this machine.
func hostDomainType() string {
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "qemu"
	}
	return domainType(cpuinfo, func() error {
		f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
		if err == nil {
			err = f.Close()
		}
		return err
	})
}
