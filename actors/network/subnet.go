package network

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Sizes of a subnet: below, there is no room for gateway and guest; above, it
// would be more than a tenth of all addresses there are.
const (
	minPrefix = 4
	maxPrefix = 30
)

// Subnet is a range of IPv4 addresses. Addresses are offsets from its first.
type Subnet struct {
	ID, Name, Description string
	CIDR                  netip.Prefix
	Gateway               uint32 // 0: none
	First, Last           uint32 // of the pool that ports are given addresses from
	Next                  uint32 // where the search for a free one goes on
	Free                  uint32 // how many of the pool are
	Ports                 int
	Nameservers           []string
	DHCP                  bool
	CreatedAt, UpdatedAt  int64
}

// addr is the address at offset.
func (sub Subnet) addr(offset uint32) netip.Addr {
	return fromNumber(toNumber(sub.CIDR.Addr()) + offset)
}

// offset is where a stands; ok is false for what a port cannot have: addresses
// outside, the network's own, the broadcast address and the gateway's.
func (sub Subnet) offset(a netip.Addr) (offset uint32, ok bool) {
	if !sub.CIDR.Contains(a) {
		return 0, false
	}
	offset = toNumber(a) - toNumber(sub.CIDR.Addr())
	return offset, offset != 0 && offset != sub.size()-1 && offset != sub.Gateway
}

func (sub Subnet) size() uint32 { return 1 << (32 - sub.CIDR.Bits()) }

// pooled says whether the pool has the address at offset.
func (sub Subnet) pooled(offset uint32) bool {
	return sub.First <= offset && offset <= sub.Last && (sub.Gateway == 0 || offset != sub.Gateway)
}

func toNumber(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func fromNumber(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func createSubnet(s State, in actors.Input, m *messages.CreateSubnet) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	sub, err := newSubnet(m.GetSubnet(), in)
	if err != nil {
		return s, nil, err
	}
	if len(s.Subnets) >= MaxSubnets {
		return s, nil, fmt.Errorf("a network has at most %d subnets: %w", MaxSubnets, messages.Exhausted)
	}
	for _, other := range s.Subnets {
		if other.ID == sub.ID {
			return s, nil, fmt.Errorf("subnet %s exists already: %w", sub.ID, messages.Conflict)
		}
		if other.CIDR.Overlaps(sub.CIDR) {
			return s, nil, fmt.Errorf("%v overlaps with %v of subnet %s: %w", sub.CIDR, other.CIDR, other.ID, messages.Invalid)
		}
	}
	s.Subnets = append(slices.Clone(s.Subnets), sub)
	return checked(s, in)
}

func newSubnet(v *messages.Subnet, in actors.Input) (Subnet, error) {
	none := Subnet{}
	if v.GetId() == "" {
		return none, fmt.Errorf("a subnet needs an id: %w", messages.Invalid)
	}
	cidr, err := netip.ParsePrefix(v.GetCidr())
	if err != nil || !cidr.Addr().Is4() || cidr.Bits() < minPrefix || cidr.Bits() > maxPrefix {
		return none, fmt.Errorf("%.50q is not an IPv4 range of /%d to /%d: %w", v.GetCidr(), minPrefix, maxPrefix, messages.Invalid)
	}
	sub := Subnet{
		ID: v.Id, Name: v.Name, Description: v.Description, CIDR: cidr.Masked(), DHCP: v.Dhcp,
		Nameservers: slices.Clone(v.Nameservers), CreatedAt: in.Now.UnixNano(), UpdatedAt: in.Now.UnixNano(),
	}
	if err := sub.setGateway(v); err != nil {
		return none, err
	}
	if err := sub.setPool(v); err != nil {
		return none, err
	}
	return sub, checkSubnet(sub)
}

// setGateway takes what was asked for, else the first address.
func (sub *Subnet) setGateway(v *messages.Subnet) error {
	switch {
	case v.NoGateway:
		return nil
	case v.Gateway == "":
		sub.Gateway = 1
		return nil
	}
	offset, ok := sub.parse(v.Gateway)
	if !ok {
		return fmt.Errorf("gateway %.50q is not an address of %v: %w", v.Gateway, sub.CIDR, messages.Invalid)
	}
	sub.Gateway = offset
	return nil
}

// setPool takes what was asked for, else every address that a port can have.
func (sub *Subnet) setPool(v *messages.Subnet) error {
	sub.First, sub.Last = 1, sub.size()-2
	switch {
	case v.PoolStart == "" && v.PoolEnd == "":
		if sub.Gateway == 1 {
			sub.First = 2
		}
	default:
		first, ok1 := sub.parse(v.PoolStart)
		last, ok2 := sub.parse(v.PoolEnd)
		if !ok1 || !ok2 || first > last {
			return fmt.Errorf("%.50q to %.50q is not a pool of addresses of %v without its gateway: %w",
				v.PoolStart, v.PoolEnd, sub.CIDR, messages.Invalid)
		}
		sub.First, sub.Last = first, last
	}
	sub.Next, sub.Free = sub.First, sub.Last-sub.First+1
	if sub.First <= sub.Gateway && sub.Gateway <= sub.Last {
		sub.Free--
	}
	return nil
}

func (sub *Subnet) parse(s string) (offset uint32, ok bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, false
	}
	return sub.offset(a)
}

func checkSubnet(sub Subnet) error {
	if len(sub.Nameservers) > MaxNameservers {
		return fmt.Errorf("a subnet has at most %d nameservers: %w", MaxNameservers, messages.Invalid)
	}
	for _, n := range sub.Nameservers {
		if a, err := netip.ParseAddr(n); err != nil || a.Zone() != "" {
			return fmt.Errorf("nameserver %.50q is not an IP address: %w", n, messages.Invalid)
		}
	}
	return checkNames(sub.ID, sub.Name, sub.Description)
}

func updateSubnet(s State, in actors.Input, m *messages.UpdateSubnet) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	i, err := s.subnet(m.SubnetId)
	if err != nil {
		return s, nil, err
	}
	sub := s.Subnets[i]
	assign(&sub.Name, m.Name)
	assign(&sub.Description, m.Description)
	assign(&sub.DHCP, m.Dhcp)
	if m.SetNameservers {
		sub.Nameservers = slices.Clone(m.Nameservers)
	}
	if err := checkSubnet(sub); err != nil {
		return s, nil, err
	}
	sub.UpdatedAt = in.Now.UnixNano()
	s = s.withSubnet(i, sub)
	return s, answer(s), nil
}

func deleteSubnet(s State, in actors.Input, m *messages.DeleteSubnet) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	i, err := s.subnet(m.SubnetId)
	if err != nil {
		return s, nil, err
	}
	if n := s.Subnets[i].Ports; n > 0 {
		return s, nil, fmt.Errorf("subnet %s has ports in use (%d): %w", m.SubnetId, n, messages.Conflict)
	}
	s.Subnets = slices.Delete(slices.Clone(s.Subnets), i, i+1)
	s.UpdatedAt = in.Now.UnixNano()
	return s, nil, nil
}

// subnet is where id stands in Subnets.
func (s State) subnet(id string) (int, error) {
	i := slices.IndexFunc(s.Subnets, func(sub Subnet) bool { return sub.ID == id })
	if i < 0 {
		return 0, fmt.Errorf("subnet %.80s could not be found: %w", id, messages.NotFound)
	}
	return i, nil
}

// withSubnet is s with one subnet replaced; s itself stays as it is.
func (s State) withSubnet(i int, sub Subnet) State {
	s.Subnets = slices.Clone(s.Subnets)
	s.Subnets[i] = sub
	return s
}
