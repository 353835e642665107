//go:build linux

// Package flatnet owns the one flat network of a host: a bridge in a network
// namespace that has no route out, the DHCP server on it, listeners inside it (the
// metadata service's), and connections to guests. It gives out no addresses of its
// own: each guest gets the one its lease says. Packets never leave the namespace.
package flatnet

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/troupe-cloud/troupe/messages"
)

// Config describes the network. Only CIDR is required.
type Config struct {
	CIDR      netip.Prefix // of the subnet; IPv4, at most /30
	Gateway   netip.Addr   // the bridge's own address; default: the first of CIDR
	MTU       int          // of bridge and guests, bytes; default DefaultMTU
	Namespace string       // default DefaultNamespace
	Bridge    string       // default DefaultBridge
	Dir       string       // of the DHCP server's files; default /run/troupe/NAMESPACE. Must be readable by everybody: the server drops its rights.
	Log       zerolog.Logger
}

// Defaults of Config.
const (
	DefaultNamespace = "troupe0"
	DefaultBridge    = "trbr0"
	DefaultMTU       = 1500
)

// MetadataAddress is where guests look for their metadata.
const MetadataAddress = "169.254.169.254"

// Network is the network, ready for guests.
type Network struct {
	cfg  Config
	dhcp *server
	lock *os.File // held: two processes would end each other's DHCP server

	mu     sync.Mutex // guards the files of the leases
	pinned addresses  // of guests, each tied to a MAC
}

// Open makes the network, or adopts what an earlier process left of it.
func Open(ctx context.Context, cfg Config) (*Network, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("network namespaces need root: %w", messages.Denied)
	}
	n := &Network{cfg: cfg}
	if err := os.MkdirAll(n.hostsDir(), 0o755); err != nil {
		return nil, fmt.Errorf("network %s: %w", cfg.Namespace, err)
	}
	if err := n.takeLock(); err != nil {
		return nil, err
	}
	err := n.makeLinks(ctx)
	if err == nil {
		err = n.pinAll(ctx)
	}
	if err == nil {
		n.dhcp, err = startServer(ctx, n)
	}
	if err != nil {
		_ = n.lock.Close()
		return nil, err
	}
	return n, nil
}

// takeLock makes this process the network's only one. The lock ends with it.
func (n *Network) takeLock() error {
	f, err := os.OpenFile(filepath.Join(n.cfg.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("network %s: %w", n.cfg.Namespace, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return fmt.Errorf("network %s is in use by another process: %w", n.cfg.Namespace, messages.Conflict)
	}
	n.lock = f
	return nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,14}$`) // 15: the kernel's limit for an interface

func (c *Config) complete() error {
	c.CIDR = c.CIDR.Masked()
	if !c.CIDR.Addr().Is4() || c.CIDR.Bits() > 30 || c.CIDR.Bits() < 8 {
		return fmt.Errorf("network %s is not an IPv4 subnet from /8 to /30: %w", c.CIDR, messages.Invalid)
	}
	if !c.Gateway.IsValid() {
		c.Gateway = c.CIDR.Addr().Next()
	}
	if !c.CIDR.Contains(c.Gateway) {
		return fmt.Errorf("gateway %s is not in %s: %w", c.Gateway, c.CIDR, messages.Invalid)
	}
	if c.Namespace == "" {
		c.Namespace = DefaultNamespace
	}
	if c.Bridge == "" {
		c.Bridge = DefaultBridge
	}
	if !nameForm.MatchString(c.Namespace) || !nameForm.MatchString(c.Bridge) {
		return fmt.Errorf("%q and %q must be short plain names: %w", c.Namespace, c.Bridge, messages.Invalid)
	}
	if c.MTU == 0 {
		c.MTU = DefaultMTU
	}
	if c.MTU < 576 || c.MTU > 65535 {
		return fmt.Errorf("an MTU of %d is not between 576 and 65535: %w", c.MTU, messages.Invalid)
	}
	if c.Dir == "" {
		c.Dir = filepath.Join("/run/troupe", c.Namespace)
	}
	return nil
}

// Bridge is the name of the bridge, inside the namespace.
func (n *Network) Bridge() string { return n.cfg.Bridge }

// Namespace is the name of the namespace, as ip-netns(8) knows it. libvirtd and
// its guests run in it.
func (n *Network) Namespace() string { return n.cfg.Namespace }

// Gateway is the bridge's own address.
func (n *Network) Gateway() netip.Addr { return n.cfg.Gateway }

// Close stops supervising. The network and its DHCP server go on, as the guests
// do; the next Open adopts them.
func (n *Network) Close() error {
	n.dhcp.release()
	return n.lock.Close()
}

// Teardown ends the DHCP server and removes the namespace with all that is in it.
// Guests must be gone before.
func (n *Network) Teardown(ctx context.Context) error {
	defer n.lock.Close()
	if err := n.dhcp.stop(ctx); err != nil {
		return err
	}
	if err := run(ctx, "ip", "netns", "del", n.cfg.Namespace); err != nil {
		return err
	}
	return os.RemoveAll(n.cfg.Dir)
}
