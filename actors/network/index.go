package network

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
)

// Index entries of networks end with the network's id; their values are
// marshalled messages.NetworkView, subnets included.
const (
	IndexAll     = "network/all/"    // for operators
	IndexShared  = "network/shared/" // those that every project sees
	indexProject = "network/project/"
	indexSubnet  = "subnet/"
)

// Index entries of ports. Values are marshalled messages.PortView as far as a
// port alone says it: without gateway, nameservers and MTU.
const (
	IndexPorts    = "port/" // <project>/<port>: all ports, for operators
	indexInstance = "port-by-instance/"
	indexAddress  = "port-by-address/"
	indexPortByID = "port-network/"
	portsTable    = "ports"
)

// IndexProject is what the entries of a project's own networks begin with.
func IndexProject(project string) string { return indexProject + actors.Escape(project) + "/" }

// IndexSubnet is the key under which the id of a subnet's network stands.
func IndexSubnet(subnet string) string { return indexSubnet + actors.Escape(subnet) }

// IndexProjectPorts is what the entries of a project's ports begin with; the
// port's id follows.
func IndexProjectPorts(project string) string { return IndexPorts + actors.Escape(project) + "/" }

// IndexMomentPorts is what the entries of a project's ports begin with that were made
// for an instance and for those of the same moment: where nothing else is said, an
// instance's ports are among them. "": its id does not begin with a moment.
func IndexMomentPorts(project, instance string) string {
	id, ok := timed(instance)
	if !ok {
		return ""
	}
	const moment = 13 // digits and a hyphen
	return IndexProjectPorts(project) + id.String()[:moment]
}

// IndexInstancePorts is what the entries begin with of those ports of an instance that
// do not follow from its id; the port's id follows.
func IndexInstancePorts(instance string) string {
	return indexInstance + actors.Escape(instance) + "/"
}

// IndexPort is the key under which the id of a port's network stands.
func IndexPort(port string) string { return indexPortByID + actors.Escape(port) }

// IndexAddress is the key under which the id of the instance stands that has
// the address (in its usual form) on the network.
func IndexAddress(network, address string) string {
	return indexAddress + actors.Escape(network) + "/" + address
}

func index(s State) []actors.Entry {
	if !s.exists() {
		return nil
	}
	value, id := marshal(s.view()), actors.Escape(s.ID)
	entries := []actors.Entry{
		{Key: IndexAll + id, Value: value},
		{Key: IndexProject(s.ProjectID) + id, Value: value},
	}
	if s.Shared {
		entries = append(entries, actors.Entry{Key: IndexShared + id, Value: value})
	}
	for _, sub := range s.Subnets {
		entries = append(entries, actors.Entry{Key: IndexSubnet(sub.ID), Value: []byte(s.ID)})
	}
	return entries
}

// sameIndex: of all that changes when an address is given out, index says nothing.
func sameIndex(a, b State) bool {
	return a.ID == b.ID && a.Name == b.Name && a.ProjectID == b.ProjectID && a.Description == b.Description &&
		a.Shared == b.Shared && a.Down == b.Down && a.Deleted == b.Deleted && a.MTU == b.MTU &&
		a.CreatedAt == b.CreatedAt && a.UpdatedAt == b.UpdatedAt && slices.EqualFunc(a.Subnets, b.Subnets, sameSubnet)
}

func sameSubnet(a, b Subnet) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Description == b.Description && a.CIDR == b.CIDR && a.Gateway == b.Gateway &&
		a.First == b.First && a.Last == b.Last && slices.Equal(a.Nameservers, b.Nameservers) && a.DHCP == b.DHCP &&
		a.CreatedAt == b.CreatedAt && a.UpdatedAt == b.UpdatedAt
}

func rowIndex(s State, table, row string) []actors.Entry {
	if table != portsTable {
		return nil
	}
	p, ok := s.Ports.Get(row)
	if !ok {
		return nil
	}
	value, id := marshal(p.view()), actors.Escape(p.ID)
	entries := []actors.Entry{
		{Key: IndexProjectPorts(p.ProjectID) + id, Value: value},
		{Key: IndexPort(p.ID), Value: []byte(p.NetworkID)},
	}
	if p.InstanceID == "" {
		return entries
	}
	if !p.Lean {
		entries = append(entries, actors.Entry{Key: IndexInstancePorts(p.InstanceID) + id, Value: value})
	}
	return append(entries, actors.Entry{Key: IndexAddress(p.NetworkID, p.Address.String()), Value: []byte(p.InstanceID)})
}

// marshal gives equal bytes for equal messages.
func marshal(m proto.Message) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(fmt.Errorf("encode %T: %w", m, err)) // names are checked to be text before
	}
	return raw
}
