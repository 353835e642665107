package drivers

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"path"
	"regexp"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// Limits of what any driver builds. They are far above what is sensible, and
// keep a nonsensical spec from reaching a hypervisor.
const (
	MaxVCPUs        = 512
	MaxRAMMiB       = 16 << 20 // 16 TiB
	MaxDiskGiB      = 64 << 10 // 64 TiB
	MaxNICs         = 16
	MaxConfigBytes  = 64 << 20 // of all files in a config drive together
	MaxConfigFiles  = 1024
	metaDataPath    = "openstack/latest/meta_data.json"
	maxConfigLength = 255 // of a path in the config drive
)

var (
	// An instance id becomes a file name, a domain name and a UUID.
	idForm     = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ValidID says whether id is a UUID in its usual lower-case form, which is what
// every driver wants an instance id to be.
func ValidID(id string) bool { return idForm.MatchString(id) }

// CheckSpec refuses, with Invalid, a spec that can never be built anywhere.
func CheckSpec(s *messages.DomainSpec) error {
	switch { // at every build: no sentence is made that nobody reads
	case !ValidID(s.GetInstanceId()):
		return fmt.Errorf("instance id %q is not a UUID: %w", s.GetInstanceId(), messages.Invalid)
	case s.GetVcpus() < 1 || s.GetVcpus() > MaxVCPUs:
		return fmt.Errorf("%d vCPUs are not between 1 and %d: %w", s.GetVcpus(), MaxVCPUs, messages.Invalid)
	case s.GetRamMib() < 1 || s.GetRamMib() > MaxRAMMiB:
		return fmt.Errorf("%d MiB of memory are not between 1 and %d: %w", s.GetRamMib(), MaxRAMMiB, messages.Invalid)
	case s.GetDiskGib() < 0 || s.GetDiskGib() > MaxDiskGiB:
		return fmt.Errorf("%d GiB of disk are not between 0 and %d: %w", s.GetDiskGib(), MaxDiskGiB, messages.Invalid)
	case !sha256Form.MatchString(s.GetImageSha256()):
		return fmt.Errorf("image content %q is not a SHA-256 in hex: %w", s.GetImageSha256(), messages.Invalid)
	case s.GetImageFormat() != "qcow2" && s.GetImageFormat() != "raw":
		return fmt.Errorf("image format %q is neither qcow2 nor raw: %w", s.GetImageFormat(), messages.Invalid)
	case len(s.GetNics()) > MaxNICs:
		return fmt.Errorf("%d network interfaces are more than %d: %w", len(s.GetNics()), MaxNICs, messages.Invalid)
	}
	for _, n := range s.GetNics() {
		if err := checkNIC(n); err != nil {
			return err
		}
	}
	if err := CheckDisk(s, s.GetImageVirtualBytes()); err != nil {
		return err
	}
	return checkConfig(s.GetConfigFiles())
}

// CheckDisk refuses, with Invalid, a root disk smaller than an image of
// virtualBytes: cutting the image would destroy the guest's file systems.
func CheckDisk(s *messages.DomainSpec, virtualBytes int64) error {
	if g := s.GetDiskGib(); g > 0 && virtualBytes > g<<30 {
		return fmt.Errorf("the image needs %d bytes, the disk has %d GiB: %w", virtualBytes, g, messages.Invalid)
	}
	return nil
}

// DiskGiB is the room that the root disk may take, rounded up.
func DiskGiB(s *messages.DomainSpec) int64 {
	if s.GetDiskGib() > 0 {
		return s.GetDiskGib()
	}
	return (s.GetImageVirtualBytes() + 1<<30 - 1) >> 30
}

func checkNIC(n *messages.DomainNIC) error {
	if mac, err := net.ParseMAC(n.GetMac()); err != nil || len(mac) != 6 || mac[0]&1 == 1 {
		return fmt.Errorf("%q is not the MAC address of one interface: %w", n.GetMac(), messages.Invalid)
	}
	if n.GetAddress() != "" {
		if a, err := netip.ParseAddr(n.GetAddress()); err != nil || !a.Is4() {
			return fmt.Errorf("%q is not an IPv4 address: %w", n.GetAddress(), messages.Invalid)
		}
	}
	return nil
}

func checkConfig(files map[string][]byte) error {
	total := 0
	for p, content := range files {
		if p == "" || len(p) > maxConfigLength || path.Clean("/"+p) != "/"+p || strings.ContainsAny(p, "\\\x00\n") {
			return fmt.Errorf("%q is not a path for a config drive: %w", p, messages.Invalid)
		}
		total += len(content)
	}
	if len(files) > MaxConfigFiles || total > MaxConfigBytes {
		return fmt.Errorf("a config drive of %d files with %d bytes is too large: %w", len(files), total, messages.Invalid)
	}
	return nil
}

// Hostname is the name the guest will give itself, from the meta data of its
// config drive; empty if there is none.
func Hostname(s *messages.DomainSpec) string {
	var meta struct {
		Hostname string `json:"hostname"`
	}
	if json.Unmarshal(s.GetConfigFiles()[metaDataPath], &meta) != nil {
		return ""
	}
	return meta.Hostname
}
