package network

import (
	"slices"

	"github.com/troupe-cloud/troupe/messages"
)

func (s State) view() *messages.NetworkView {
	v := &messages.NetworkView{
		Id: s.ID, Name: s.Name, ProjectId: s.ProjectID, Shared: s.Shared, Mtu: s.MTU,
		Description: s.Description, AdminStateDown: s.Down, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
	for _, sub := range s.Subnets {
		v.Subnets = append(v.Subnets, s.subnetView(sub))
	}
	return v
}

func (s State) subnetView(sub Subnet) *messages.Subnet {
	v := &messages.Subnet{
		Id: sub.ID, Name: sub.Name, NetworkId: s.ID, Cidr: sub.CIDR.String(), NoGateway: sub.Gateway == 0,
		PoolStart: sub.addr(sub.First).String(), PoolEnd: sub.addr(sub.Last).String(),
		Nameservers: slices.Clone(sub.Nameservers), Dhcp: sub.DHCP,
		CreatedAt: sub.CreatedAt, UpdatedAt: sub.UpdatedAt, Description: sub.Description,
	}
	if sub.Gateway != 0 {
		v.Gateway = sub.addr(sub.Gateway).String()
	}
	return v
}

// portView is p with what its network and subnet add.
func (s State) portView(p Port) *messages.PortView {
	v := p.view()
	v.Port.Mtu = s.MTU
	if i, err := s.subnet(p.SubnetID); err == nil {
		sub := s.subnetView(s.Subnets[i])
		v.Port.Gateway, v.Port.Nameservers = sub.Gateway, sub.Nameservers
	}
	return v
}

// view is what the row alone says.
func (p Port) view() *messages.PortView {
	return &messages.PortView{
		Port: &messages.Port{
			Id: p.ID, NetworkId: p.NetworkID, NetworkName: p.NetworkName, Mac: p.MAC,
			Address: p.Address.String(), PrefixLength: p.PrefixLength, SubnetId: p.SubnetID,
		},
		Name: p.Name, ProjectId: p.ProjectID, InstanceId: p.InstanceID, Description: p.Description,
		AdminStateDown: p.Down, Keep: p.Keep, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}
