//go:build cgo && !nolibvirt

package libvirt

import (
	"context"
	"encoding/json"
	"os"
	"time"

	lv "libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/troupe-cloud/troupe/messages"
)

// housekeeping is how often the sizes of the console logs are looked at.
const housekeeping = time.Minute

// Inventory says what the hypervisor has.
func (d *Driver) Inventory(ctx context.Context) (*messages.Inventory, error) {
	return ask(ctx, d, "inventory", "", func(conn *lv.Connect) (*messages.Inventory, error) {
		inv := &messages.Inventory{HypervisorHostname: d.cfg.Name, HypervisorType: "QEMU", HostIp: d.cfg.HostIP}
		if d.storage != nil {
			inv.Storage = d.storage.ID
		}
		node, err := conn.GetNodeInfo()
		if err != nil {
			return nil, err
		}
		version, err := conn.GetVersion()
		if err != nil {
			return nil, err
		}
		if inv.HypervisorHostname == "" {
			if inv.HypervisorHostname, err = conn.GetHostname(); err != nil {
				return nil, err
			}
		}
		if inv.DiskGib, err = d.cfg.diskGiB(); err != nil {
			return nil, err
		}
		text, err := conn.GetCapabilities()
		if err != nil {
			return nil, err
		}
		inv.Vcpus, inv.RamMib, inv.HypervisorVersion = int32(node.Cpus), int64(node.Memory>>10), int64(version)
		inv.Arch, inv.CpuInfoJson, err = cpuInfo(text)
		return inv, err
	})
}

// cpuInfo is the host's processor in the form of Nova's cpu_info.
func cpuInfo(capabilities string) (arch, text string, err error) {
	var caps libvirtxml.Caps
	if err := caps.Unmarshal(capabilities); err != nil {
		return "", "", err
	}
	type topology struct {
		Cells   int `json:"cells"`
		Sockets int `json:"sockets"`
		Cores   int `json:"cores"`
		Threads int `json:"threads"`
	}
	info := struct {
		Arch     string   `json:"arch"`
		Model    string   `json:"model"`
		Vendor   string   `json:"vendor"`
		Features []string `json:"features"`
		Topology topology `json:"topology"`
	}{Features: []string{}, Topology: topology{Cells: 1}}
	if c := caps.Host.CPU; c != nil {
		info.Arch, info.Model, info.Vendor = c.Arch, c.Model, c.Vendor
		for _, f := range c.FeatureFlags {
			info.Features = append(info.Features, f.Name)
		}
		if t := c.Topology; t != nil {
			info.Topology.Sockets, info.Topology.Cores, info.Topology.Threads = t.Sockets, t.Cores, t.Threads
		}
	}
	if caps.Host.NUMA != nil && caps.Host.NUMA.Cells != nil {
		info.Topology.Cells = max(1, len(caps.Host.NUMA.Cells.Cells))
	}
	out, err := json.Marshal(info)
	return info.Arch, string(out), err
}

// Console reads the end of the serial console's log.
func (d *Driver) Console(ctx context.Context, id string, limit int64) ([]byte, error) {
	if _, err := d.Domain(ctx, id); err != nil {
		return nil, err
	}
	out, err := tail(d.cfg.consolePath(id), limit)
	return out, wrap("console", id, err)
}

// VNC is the path of the Unix socket with the domain's screen (RFB, no password:
// the file's permissions are the lock).
func (d *Driver) VNC(id string) string { return d.cfg.vncPath(id) }

// housekeep keeps the console logs below their limit. A guest can fill a disk
// with its log; no event tells of it, so this looks, which costs one stat a domain.
func (d *Driver) housekeep() {
	tick := time.NewTicker(housekeeping)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.trimConsoles()
		case <-d.closing:
			return
		}
	}
}

func (d *Driver) trimConsoles() {
	dirs, err := os.ReadDir(d.cfg.Dir)
	if err != nil {
		d.cfg.Log.Warn().Err(err).Msg("console logs cannot be looked after")
		return
	}
	for _, dir := range dirs {
		if err := trim(d.cfg.consolePath(dir.Name())); err != nil {
			d.cfg.Log.Warn().Err(err).Str("id", dir.Name()).Msg("console log cannot be cut")
		}
	}
}
