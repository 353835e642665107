//go:build linux

package flatnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

// Add makes the DHCP server know an instance's guest: all its leases, replacing
// what was known of it.
func (n *Network) Add(ctx context.Context, instanceID string, leases []drivers.Lease) error {
	if !drivers.ValidID(instanceID) {
		return fmt.Errorf("instance id %q is not a UUID: %w", instanceID, messages.Invalid)
	}
	var lines bytes.Buffer
	for _, l := range leases {
		line, err := n.line(l)
		if err != nil {
			return err
		}
		lines.WriteString(line)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.write(instanceID, lines.Bytes()); err != nil {
		return fmt.Errorf("lease of %s: %w", instanceID, err)
	}
	return n.pin(ctx, leases)
}

// write puts an instance's lines where the DHCP server reads them.
func (n *Network) write(instanceID string, lines []byte) error {
	file := filepath.Join(n.hostsDir(), instanceID)
	old, err := os.ReadFile(file)
	if err == nil && bytes.Equal(old, lines) {
		return nil
	}
	tmp := filepath.Join(n.cfg.Dir, instanceID+".tmp") // beside the folder: dnsmasq reads whatever appears in it
	if err := os.WriteFile(tmp, lines, 0o644); err != nil {
		return err
	}
	if err := os.Rename(tmp, file); err != nil {
		return err
	}
	n.free(context.Background(), old)
	n.dhcp.reload()
	return nil
}

// Remove makes the DHCP server forget an instance. An unknown one is success.
func (n *Network) Remove(ctx context.Context, instanceID string) error {
	if !drivers.ValidID(instanceID) {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	file := filepath.Join(n.hostsDir(), instanceID)
	old, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lease of %s: %w", instanceID, err)
	}
	n.free(ctx, old)
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("lease of %s: %w", instanceID, err)
	}
	n.dhcp.reload()
	return nil
}

// Has says whether the DHCP server knows the instance.
func (n *Network) Has(instanceID string) bool {
	_, err := os.Stat(filepath.Join(n.hostsDir(), filepath.Base(instanceID)))
	return err == nil
}

// line is a dhcp-host line of dnsmasq(8): MAC, address, name. Everything in it is
// checked: a comma too much would be an option.
func (n *Network) line(l drivers.Lease) (string, error) {
	mac, err := net.ParseMAC(l.MAC)
	if err != nil || len(mac) != 6 {
		return "", fmt.Errorf("%q is not a MAC address: %w", l.MAC, messages.Invalid)
	}
	address, err := netip.ParseAddr(l.Address)
	if err != nil || !n.cfg.CIDR.Contains(address) {
		return "", fmt.Errorf("address %q is not in the host's network %s: %w", l.Address, n.cfg.CIDR, messages.Invalid)
	}
	if address == n.cfg.Gateway || address == n.cfg.CIDR.Addr() {
		return "", fmt.Errorf("address %s is the network's own: %w", address, messages.Invalid)
	}
	name, _, _ := strings.Cut(l.Hostname, ".")
	if !hostForm.MatchString(name) {
		return mac.String() + "," + address.String() + "\n", nil
	}
	return mac.String() + "," + address.String() + "," + name + "\n", nil
}

// hosts are the MAC and address of each dhcp-host line; other lines are skipped.
func hosts(lines []byte) (all []drivers.Lease) {
	for line := range strings.Lines(string(lines)) {
		part := strings.Split(strings.TrimSpace(line), ",")
		if len(part) < 2 {
			continue
		}
		_, err1 := net.ParseMAC(part[0])
		_, err2 := netip.ParseAddr(part[1])
		if errors.Join(err1, err2) == nil {
			all = append(all, drivers.Lease{MAC: part[0], Address: part[1]})
		}
	}
	return all
}

// free forgets the addresses of dhcp-host lines, and releases their leases in the
// guests' stead. Otherwise dnsmasq would refuse an address to its next owner until
// the lease runs out.
func (n *Network) free(ctx context.Context, lines []byte) {
	for _, l := range hosts(lines) {
		n.unpin(ctx, l.Address)
		if err := n.sendRelease(l); err != nil {
			n.cfg.Log.Warn().Err(err).Str("address", l.Address).Msg("lease not released")
		}
	}
}

// pinAll ties the addresses of all guests that are known from earlier: the bridge
// may be a new one.
func (n *Network) pinAll(ctx context.Context) error {
	files, err := os.ReadDir(n.hostsDir())
	if err != nil {
		return err
	}
	for _, f := range files {
		lines, err := os.ReadFile(filepath.Join(n.hostsDir(), f.Name()))
		if err != nil {
			return err
		}
		var ours []drivers.Lease
		for _, l := range hosts(lines) {
			if a, err := netip.ParseAddr(l.Address); err == nil && n.cfg.CIDR.Contains(a) { // the subnet may be another one now
				ours = append(ours, l)
			}
		}
		if err := n.pin(ctx, ours); err != nil {
			return err
		}
	}
	return nil
}
