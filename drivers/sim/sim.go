// Package sim owns a hypervisor that lives in memory: domains with power, order
// numbers, capacity, consoles and events, which obey the same contract as a
// real one. It is cheap (no goroutine while idle, a few hundred bytes a
// domain), so one process carries thousands of hosts. It runs no guest.
package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/drivers/internal/feed"
	"github.com/troupe-cloud/troupe/drivers/internal/shared"
	"github.com/troupe-cloud/troupe/messages"
)

// Config describes one simulated hypervisor. Only Name is required.
type Config struct {
	Name    string // hypervisor host name
	VCPUs   int32  // 0: DefaultVCPUs
	RAMMiB  int64  // 0: DefaultRAMMiB
	DiskGiB int64  // 0: DefaultDiskGiB

	// How far a resource may be promised beyond what there is; 0: Default…Ratio.
	// RAM counts for running domains, disk and vCPUs for defined ones.
	CPURatio, RAMRatio, DiskRatio float64

	Latency Latency
	Fault   Hook           // nil: nothing goes wrong
	Journal *Journal       // nil: domains end with the process
	Images  drivers.Images // nil: every image is there
	Shared  *Shared        // storage that hosts share; nil: disks are the host's own
	Seed    uint64         // of the latencies' jitter
}

// Defaults of Config.
const (
	DefaultVCPUs     = 64
	DefaultRAMMiB    = 256 << 10
	DefaultDiskGiB   = 4096
	DefaultCPURatio  = 16.0
	DefaultRAMRatio  = 1.5
	DefaultDiskRatio = 1.0
)

// Latency is how long things take. Zero: at once.
type Latency struct {
	Build, Start, Stop, Reboot, Delete time.Duration
	Shutdown                           time.Duration // of a guest that was asked by ACPI
	Reconnect                          time.Duration // after a connection was lost
	Jitter                             float64       // share of a latency that varies, 0 to 1
}

// Driver is a way to one simulated hypervisor. It implements drivers.Driver.
type Driver struct {
	*machine
	halfway func(Op) // tests: called between the check of a fence and the act
}

// machine is the hypervisor itself.
type machine struct {
	cfg Config

	mu        sync.Mutex
	rand      rand.PCG
	epoch     uint64 // the newest seen
	domains   map[string]domain
	used      usage
	lost      bool // the connection
	cut       int  // how often the connection was cut; tells reconnections apart
	feed      feed.Feed
	foreign   map[string]bool
	reconnect *time.Timer
}

var _ drivers.Driver = (*Driver)(nil)

// Shared is storage that hosts share, in one process or several.
type Shared = shared.Storage

// OpenShared opens shared storage in a folder, or makes it.
func OpenShared(ctx context.Context, dir string) (*Shared, error) { return shared.Open(ctx, dir) }

// New makes a hypervisor, with the domains the journal has for its name.
func New(cfg Config) *Driver {
	for _, d := range []struct {
		at    *float64
		value float64
	}{{&cfg.CPURatio, DefaultCPURatio}, {&cfg.RAMRatio, DefaultRAMRatio}, {&cfg.DiskRatio, DefaultDiskRatio}} {
		if *d.at <= 0 {
			*d.at = d.value
		}
	}
	if cfg.VCPUs <= 0 {
		cfg.VCPUs = DefaultVCPUs
	}
	if cfg.RAMMiB <= 0 {
		cfg.RAMMiB = DefaultRAMMiB
	}
	if cfg.DiskGiB <= 0 {
		cfg.DiskGiB = DefaultDiskGiB
	}
	m := &machine{cfg: cfg, rand: *rand.NewPCG(cfg.Seed, hash(cfg.Name)), domains: map[string]domain{}}
	for id, dom := range cfg.Journal.take(cfg.Name) {
		if id == theHost {
			m.epoch = dom.Epoch
			continue
		}
		m.domains[id] = dom
		m.used.add(dom)
	}
	m.feed.Connected()
	return &Driver{machine: m}
}

// Second is another way to the same hypervisor, as another process would have.
// Its operations call halfway, if not nil, between their checks and their acts.
func (d *Driver) Second(halfway func(Op)) *Driver { return &Driver{d.machine, halfway} }

// Watch reports changes until ctx ends; Connected comes first.
func (d *Driver) Watch(ctx context.Context) <-chan drivers.Event { return d.feed.Watch(ctx) }

// Inventory says what the hypervisor has.
func (d *Driver) Inventory(ctx context.Context) (*messages.Inventory, error) {
	if err := d.reach(ctx); err != nil {
		return nil, err
	}
	inv := &messages.Inventory{
		HypervisorHostname: d.cfg.Name, HypervisorType: "sim", HypervisorVersion: 1000000,
		Vcpus: d.cfg.VCPUs, RamMib: d.cfg.RAMMiB, DiskGib: d.cfg.DiskGiB,
		HostIp: "127.0.0.1", Arch: "x86_64",
		CpuInfoJson: fmt.Sprintf(`{"arch":"x86_64","model":"sim","vendor":"sim","features":[],"topology":{"cells":1,"sockets":1,"cores":%d,"threads":1}}`, d.cfg.VCPUs),
	}
	if d.cfg.Shared != nil {
		inv.Storage = d.cfg.Shared.ID
	}
	return inv, nil
}

// Domains lists all domains, ordered by id.
func (d *Driver) Domains(ctx context.Context) ([]drivers.Domain, error) {
	if err := d.reach(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]drivers.Domain, 0, len(d.domains))
	for id, dom := range d.domains {
		all = append(all, dom.seen(id))
	}
	slices.SortFunc(all, func(a, b drivers.Domain) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// Domain reads one.
func (d *Driver) Domain(ctx context.Context, id string) (drivers.Domain, error) {
	if err := d.reach(ctx); err != nil {
		return drivers.Domain{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, err := d.find(id)
	return dom.seen(id), err
}

// Console makes up the serial console of the domain's last boots.
func (d *Driver) Console(ctx context.Context, id string, limit int64) ([]byte, error) {
	if err := d.reach(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, err := d.find(id)
	if err != nil {
		return nil, err
	}
	text := dom.console(id)
	if limit > 0 && int64(len(text)) > limit {
		text = text[int64(len(text))-limit:]
	}
	return text, nil
}

// Close ends a pending reconnection. Domains stay where they are.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reconnect != nil {
		d.reconnect.Stop()
	}
	return nil
}

// reach fails if the hypervisor cannot be talked to.
func (d *machine) reach(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("hypervisor %s: %w: %w", d.cfg.Name, ctx.Err(), messages.Unavailable)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost {
		return d.noConnection()
	}
	return nil
}

func (d *machine) noConnection() error {
	return fmt.Errorf("hypervisor %s: no connection: %w", d.cfg.Name, messages.Unavailable)
}

func (d *machine) find(id string) (domain, error) {
	dom, ok := d.domains[id]
	if !ok {
		return dom, fmt.Errorf("hypervisor %s has no domain %s: %w", d.cfg.Name, id, messages.NotFound)
	}
	return dom, nil
}
