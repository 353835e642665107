//go:build linux

package flatnet

import (
	"context"
	"net"

	"github.com/troupe-cloud/troupe/drivers"
)

// The metadata service knows a guest by its address, so a guest must not be able
// to take another's. Two things see to that: an address belongs to one MAC (pin),
// and a MAC to one port of the bridge (Plug).

// pin ties each address to its MAC for all that the host sends: an answer to an
// address that was borrowed goes to its owner.
func (n *Network) pin(ctx context.Context, leases []drivers.Lease) error {
	for _, l := range leases {
		if err := n.ip(ctx, "neigh", "replace", l.Address, "lladdr", l.MAC, "nud", "permanent", "dev", n.cfg.Bridge); err != nil {
			return err
		}
		n.pinned.add(l.Address)
	}
	return nil
}

func (n *Network) unpin(ctx context.Context, address string) {
	n.pinned.remove(address)
	// It fails if there is none, which is what is wanted.
	_ = n.ip(ctx, "neigh", "del", address, "dev", n.cfg.Bridge)
}

// Plug ties a guest's device on the bridge to the guest's MAC: what comes with
// another sender is dropped. It must be called each time the device was made.
func (n *Network) Plug(ctx context.Context, device, mac string) error {
	hw, err := net.ParseMAC(mac)
	if err != nil {
		return err
	}
	// The entry first: a locked port without one would drop the guest's packets.
	err = run(ctx, "bridge", "-n", n.cfg.Namespace, "fdb", "replace", hw.String(), "dev", device, "master", "static")
	if err != nil {
		return err
	}
	return run(ctx, "bridge", "-n", n.cfg.Namespace, "link", "set", "dev", device, "learning", "off", "locked", "on")
}
