package sim

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// domain is one simulated machine. It is kept small: there may be 100,000.
type domain struct {
	Hostname string `json:"n,omitempty"`
	Address  string `json:"a,omitempty"`
	Order    uint64 `json:"o"`
	Epoch    uint64 `json:"e,omitempty"`
	RAMMiB   int64  `json:"r"`
	DiskGiB  int32  `json:"g"`
	VCPUs    uint16 `json:"c"`
	Boots    uint16 `json:"b"` // how often it was started
	Power    uint8  `json:"p"` // a messages.PowerState
}

const (
	running  = uint8(messages.PowerState_POWER_STATE_RUNNING)
	shutdown = uint8(messages.PowerState_POWER_STATE_SHUTDOWN)
	crashed  = uint8(messages.PowerState_POWER_STATE_CRASHED)
)

func newDomain(s *messages.DomainSpec) domain {
	dom := domain{
		Hostname: strings.Clone(drivers.Hostname(s)), Order: s.GetOrder(), Epoch: s.GetEpoch(), Power: shutdown,
		RAMMiB: s.GetRamMib(), DiskGiB: int32(drivers.DiskGiB(s)), VCPUs: uint16(s.GetVcpus()),
	}
	if dom.Hostname == "" {
		dom.Hostname = strings.Clone(s.GetName())
	}
	if len(s.GetNics()) > 0 {
		dom.Address = strings.Clone(s.GetNics()[0].GetAddress())
	}
	return dom
}

func (dom domain) seen(id string) drivers.Domain {
	return drivers.Domain{ID: id, Power: messages.PowerState(dom.Power), Fence: dom.fence()}
}

// fence is the newest that the domain has seen.
func (dom domain) fence() drivers.Fence { return drivers.Fence{Epoch: dom.Epoch, Order: dom.Order} }

// see notes a fence.
func (dom *domain) see(f drivers.Fence) { dom.Epoch, dom.Order = f.Epoch, f.Order }

// maxConsoleBoots bounds the console: older boots are forgotten, as a real log
// would be rotated away.
const maxConsoleBoots = 16

// console is what such a machine would have written.
func (dom domain) console(id string) []byte {
	var b strings.Builder
	for n := max(1, int(dom.Boots)-maxConsoleBoots+1); n <= int(dom.Boots); n++ {
		fmt.Fprintf(&b, "[    0.000000] Booting simulated kernel, boot %d\r\n", n)
		fmt.Fprintf(&b, "[    0.010000] smpboot: %d CPUs, %d MiB memory, %d GiB disk\r\n", dom.VCPUs, dom.RAMMiB, dom.DiskGiB)
		fmt.Fprintf(&b, "cloud-init: datasource=ConfigDrive instance-id=%s\r\n", id)
		if dom.Address != "" {
			fmt.Fprintf(&b, "cloud-init: eth0 %s\r\n", dom.Address)
		}
		fmt.Fprintf(&b, "\r\n%s login: ", dom.Hostname)
		if n < int(dom.Boots) || dom.Power == shutdown {
			b.WriteString("\r\nreboot: Power down\r\n")
		}
	}
	return []byte(b.String())
}

// usage is what the domains take of the hypervisor.
type usage struct {
	vcpus, diskGiB, ramMiB int64
}

func (u *usage) add(dom domain)    { u.count(dom, 1) }
func (u *usage) remove(dom domain) { u.count(dom, -1) }

func (u *usage) count(dom domain, n int64) {
	u.vcpus += n * int64(dom.VCPUs)
	u.diskGiB += n * int64(dom.DiskGiB)
	if dom.Power == running {
		u.ramMiB += n * dom.RAMMiB
	}
}

// room refuses what does not fit: Exhausted if it may fit another time.
func (d *machine) room(kind string, used, more int64, have int64, ratio float64) error {
	if limit := int64(float64(have) * ratio); used+more > limit {
		return fmt.Errorf("hypervisor %s has %d of %d %s in use, %d more do not fit: %w",
			d.cfg.Name, used, limit, kind, more, messages.Exhausted)
	}
	return nil
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // a hash's Write never fails
	return h.Sum64()
}
