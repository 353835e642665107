package libvirt

import (
	"fmt"

	"libvirt.org/go/libvirtxml"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// statsPeriod is how often, in seconds, the balloon tells of the guest's memory.
const statsPeriod = 10

// machine is what the driver knows beyond the spec.
type machine struct {
	kind    string // kvm or qemu
	cache   string
	bridge  string
	disk    string // paths
	drive   string // empty: no config drive
	console string
	vnc     string
}

// domainXML is the definition of the domain.
func domainXML(s *messages.DomainSpec, m machine) (string, error) {
	meta, err := metadataOf(s).definition()
	if err != nil {
		return "", err
	}
	d := libvirtxml.Domain{
		Type: m.kind, Name: namePrefix + s.GetInstanceId(), UUID: s.GetInstanceId(),
		Metadata: &libvirtxml.DomainMetadata{XML: meta},
		Memory:   &libvirtxml.DomainMemory{Value: uint(s.GetRamMib()), Unit: "MiB"},
		VCPU:     &libvirtxml.DomainVCPU{Value: uint(s.GetVcpus()), Placement: "static"},
		OS: &libvirtxml.DomainOS{
			Type:        &libvirtxml.DomainOSType{Arch: "x86_64", Machine: "pc", Type: "hvm"},
			BootDevices: []libvirtxml.DomainBootDevice{{Dev: "hd"}},
			SMBios:      &libvirtxml.DomainSMBios{Mode: "sysinfo"},
		},
		SysInfo:  []libvirtxml.DomainSysInfo{{SMBIOS: smbios(s)}},
		Features: &libvirtxml.DomainFeatureList{ACPI: &libvirtxml.DomainFeature{}, APIC: &libvirtxml.DomainFeatureAPIC{}},
		CPU:      cpu(m.kind),
		Clock: &libvirtxml.DomainClock{Offset: "utc", Timer: []libvirtxml.DomainTimer{
			{Name: "pit", TickPolicy: "delay"}, {Name: "rtc", TickPolicy: "catchup"}, {Name: "hpet", Present: "no"}}},
		OnPoweroff: "destroy", OnReboot: "restart", OnCrash: "destroy",
		Devices: devices(s, m),
	}
	if m.kind == "qemu" {
		// The translator's cache is by default a good part of the guest's memory
		// again; this much is enough for small guests and costs nobody anything.
		d.Features.TCG = &libvirtxml.DomainFeatureTCG{TBCache: &libvirtxml.DomainFeatureTCGTBCache{Unit: "MiB", Size: 64}}
	}
	return d.Marshal()
}

// smbios makes the guest's firmware say where it is: cloud-init takes a product
// called "OpenStack Compute" for a machine with our metadata service.
func smbios(s *messages.DomainSpec) *libvirtxml.DomainSysInfoSMBIOS {
	entry := func(name, value string) libvirtxml.DomainSysInfoEntry {
		return libvirtxml.DomainSysInfoEntry{Name: name, Value: value}
	}
	return &libvirtxml.DomainSysInfoSMBIOS{System: &libvirtxml.DomainSysInfoSystem{Entry: []libvirtxml.DomainSysInfoEntry{
		entry("manufacturer", "Troupe"), entry("product", "OpenStack Compute"),
		entry("serial", s.GetInstanceId()), entry("uuid", s.GetInstanceId()), entry("family", "Virtual Machine"),
	}}}
}

func cpu(kind string) *libvirtxml.DomainCPU {
	if kind == "kvm" {
		return &libvirtxml.DomainCPU{Mode: "host-model"}
	}
	return &libvirtxml.DomainCPU{Mode: "maximum"}
}

func devices(s *messages.DomainSpec, m machine) *libvirtxml.DomainDeviceList {
	zero, memory := uint(0), "virtio"
	l := &libvirtxml.DomainDeviceList{
		Disks: []libvirtxml.DomainDisk{disk(m)},
		Serials: []libvirtxml.DomainSerial{{
			Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}},
			Target: &libvirtxml.DomainSerialTarget{Port: &zero},
			Log:    &libvirtxml.DomainChardevLog{File: m.console, Append: "on"}, // the log spans power cycles
		}},
		Graphics: []libvirtxml.DomainGraphic{{VNC: &libvirtxml.DomainGraphicVNC{Socket: m.vnc}}},
		Videos:   []libvirtxml.DomainVideo{{Model: libvirtxml.DomainVideoModel{Type: "vga", VRam: 16384, Heads: 1}}},
		MemBalloon: &libvirtxml.DomainMemBalloon{Model: memory,
			Stats: &libvirtxml.DomainMemBalloonStats{Period: statsPeriod}},
		RNGs: []libvirtxml.DomainRNG{{Model: "virtio", Backend: &libvirtxml.DomainRNGBackend{
			Random: &libvirtxml.DomainRNGBackendRandom{Device: "/dev/urandom"}}}},
	}
	if m.drive != "" {
		l.Disks = append(l.Disks, configDisk(m.drive))
	}
	for _, n := range s.GetNics() {
		l.Interfaces = append(l.Interfaces, nic(n, m.bridge))
	}
	return l
}

func disk(m machine) libvirtxml.DomainDisk {
	return libvirtxml.DomainDisk{
		Device: "disk", Driver: &libvirtxml.DomainDiskDriver{Name: "qemu", Type: "qcow2", Cache: m.cache, Discard: "unmap"},
		Source: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: m.disk}},
		Target: &libvirtxml.DomainDiskTarget{Dev: "vda", Bus: "virtio"},
	}
}

func configDisk(path string) libvirtxml.DomainDisk {
	return libvirtxml.DomainDisk{
		Device: "cdrom", Driver: &libvirtxml.DomainDiskDriver{Name: "qemu", Type: "raw"},
		Source:   &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: path}},
		Target:   &libvirtxml.DomainDiskTarget{Dev: "hda", Bus: "ide"},
		ReadOnly: &libvirtxml.DomainDiskReadOnly{},
	}
}

func nic(n *messages.DomainNIC, bridge string) libvirtxml.DomainInterface {
	i := libvirtxml.DomainInterface{
		MAC:    &libvirtxml.DomainInterfaceMAC{Address: n.GetMac()},
		Source: &libvirtxml.DomainInterfaceSource{Bridge: &libvirtxml.DomainInterfaceSourceBridge{Bridge: bridge}},
		Model:  &libvirtxml.DomainInterfaceModel{Type: "virtio"},
	}
	if tap := tapName(n.GetPortId()); tap != "" {
		i.Target = &libvirtxml.DomainInterfaceTarget{Dev: tap}
	}
	if n.GetMtu() > 0 {
		i.MTU = &libvirtxml.DomainInterfaceMTU{Size: uint(n.GetMtu())}
	}
	return i
}

// tapName is the port's device on the host, in the form Nova and Neutron use; an
// interface's name has at most 15 characters.
func tapName(port string) string {
	if !drivers.ValidID(port) {
		return ""
	}
	return fmt.Sprintf("tap%.11s", port)
}
