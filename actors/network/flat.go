package network

import (
	"net/netip"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/messages"
)

// The network that a new cloud has: one flat range that every project sees.
const (
	FlatName        = "flat"
	DefaultFlatCIDR = "10.64.0.0/12"
)

// Flat is the id of that network and the two commands that make it, to be asked
// in this order. Asking again is refused with Conflict, and harmless. Its ids
// are always the same; its gateway is the first address of cidr.
func Flat(cidr netip.Prefix, owner string) (id string, network *messages.CreateNetwork, subnet *messages.CreateSubnet) {
	id = uuid.NewSHA1(portSpace, []byte("network/"+FlatName)).String()
	network = &messages.CreateNetwork{Id: id, Name: FlatName, ProjectId: owner, Shared: true}
	subnet = &messages.CreateSubnet{Subnet: &messages.Subnet{
		Id:   uuid.NewSHA1(portSpace, []byte("subnet/"+FlatName)).String(),
		Name: FlatName, NetworkId: id, Cidr: cidr.String(), Dhcp: true,
	}}
	return id, network, subnet
}
