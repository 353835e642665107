//go:build linux

package flatnet

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/troupe-cloud/troupe/drivers"
)

// DHCP's numbers, from RFC 2131 and RFC 2132.
const (
	bootRequest   = 1
	ethernet      = 1
	optType       = 53
	optServer     = 54
	optEnd        = 255
	typeRelease   = 7
	bootpLength   = 236
	minPacket     = 300 // older relays drop smaller ones
	offsetAddress = 12  // ciaddr
	offsetMAC     = 28  // chaddr
)

var magicCookie = []byte{99, 130, 83, 99}

// releasePacket is a DHCPRELEASE (RFC 2131, 4.4.6): the owner of mac gives
// address back to server.
func releasePacket(mac net.HardwareAddr, address, server netip.Addr) []byte {
	p := make([]byte, bootpLength, minPacket)
	p[0], p[1], p[2] = bootRequest, ethernet, byte(len(mac))
	copy(p[4:8], mac[2:]) // xid: any
	copy(p[offsetAddress:], address.AsSlice())
	copy(p[offsetMAC:], mac)
	p = append(p, magicCookie...)
	p = append(p, optType, 1, typeRelease, optServer, 4)
	p = append(p, server.AsSlice()...)
	p = append(p, optEnd)
	return p[:minPacket]
}

// sendRelease sends it from inside the namespace to our own DHCP server. Bound
// to the bridge, so that the server takes it for one that came from there.
func (n *Network) sendRelease(l drivers.Lease) error {
	mac, err := net.ParseMAC(l.MAC)
	if err != nil {
		return err
	}
	address, err := netip.ParseAddr(l.Address)
	if err != nil {
		return err
	}
	return inNamespace(n.cfg.Namespace, func() error {
		d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
			if e := c.Control(func(fd uintptr) {
				err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, n.cfg.Bridge)
			}); e != nil {
				return e
			}
			return err
		}}
		conn, err := d.DialContext(context.Background(), "udp4", netip.AddrPortFrom(n.cfg.Gateway, 67).String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write(releasePacket(mac, address, n.cfg.Gateway))
		return err
	})
}
