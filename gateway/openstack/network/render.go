package network

import (
	"net/netip"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// What can be filtered and sorted by is what is shown.
var (
	networkAttributes = keysOf(renderNetwork(&messages.NetworkView{}))
	subnetAttributes  = keysOf(renderSubnet(&messages.NetworkView{}, &messages.Subnet{}))
	portAttributes    = keysOf(renderPort(&messages.PortView{Port: &messages.Port{}}))
)

func keysOf(it item) map[string]bool {
	keys := map[string]bool{}
	for k := range it {
		keys[k] = true
	}
	return keys
}

func renderNetwork(v *messages.NetworkView) item {
	subnets := []string{}
	for _, s := range v.Subnets {
		subnets = append(subnets, s.Id)
	}
	return item{
		"id": v.Id, "name": v.Name, "description": v.Description, "project_id": v.ProjectId, "tenant_id": v.ProjectId,
		"admin_state_up": !v.AdminStateDown, "status": "ACTIVE", "shared": v.Shared, "mtu": v.Mtu, "subnets": subnets,
		"router:external": false, "availability_zone_hints": []string{}, "availability_zones": []string{},
		"ipv4_address_scope": nil, "ipv6_address_scope": nil, "tags": []string{},
		"created_at": stamp(v.CreatedAt), "updated_at": stamp(v.UpdatedAt),
	}
}

func renderSubnet(n *messages.NetworkView, v *messages.Subnet) item {
	nameservers := v.Nameservers
	if nameservers == nil {
		nameservers = []string{}
	}
	it := item{
		"id": v.Id, "name": v.Name, "description": v.Description, "project_id": n.ProjectId, "tenant_id": n.ProjectId,
		"network_id": n.Id, "ip_version": 4, "cidr": v.Cidr, "gateway_ip": nil, "enable_dhcp": v.Dhcp,
		"allocation_pools": pools(v), "dns_nameservers": nameservers, "host_routes": []item{}, "subnetpool_id": nil,
		"ipv6_address_mode": nil, "ipv6_ra_mode": nil, "service_types": []string{}, "tags": []string{},
		"created_at": stamp(v.CreatedAt), "updated_at": stamp(v.UpdatedAt),
	}
	if v.Gateway != "" {
		it["gateway_ip"] = v.Gateway
	}
	return it
}

// pools is the subnet's pool, in two parts if the gateway lies inside it.
func pools(v *messages.Subnet) []item {
	start, err1 := netip.ParseAddr(v.PoolStart)
	end, err2 := netip.ParseAddr(v.PoolEnd)
	if err1 != nil || err2 != nil {
		return []item{}
	}
	var list []item
	add := func(from, to netip.Addr) {
		if from.Compare(to) <= 0 {
			list = append(list, item{"start": from.String(), "end": to.String()})
		}
	}
	gateway, err := netip.ParseAddr(v.Gateway)
	if err != nil || gateway.Less(start) || end.Less(gateway) {
		add(start, end)
		return list
	}
	add(start, gateway.Prev())
	add(gateway.Next(), end)
	return list
}

func renderPort(v *messages.PortView) item {
	p := v.Port
	it := item{
		"id": p.Id, "name": v.Name, "description": v.Description, "project_id": v.ProjectId, "tenant_id": v.ProjectId,
		"network_id": p.NetworkId, "mac_address": p.Mac, "admin_state_up": !v.AdminStateDown, "status": "DOWN",
		"fixed_ips":             []item{{"subnet_id": p.SubnetId, "ip_address": p.Address}},
		"device_id":             v.InstanceId,
		"device_owner":          "",
		"security_groups":       []string{defaultGroupID(v.ProjectId)},
		"allowed_address_pairs": []item{}, "extra_dhcp_opts": []item{}, "binding:vnic_type": "normal", "tags": []string{},
		"created_at": stamp(v.CreatedAt), "updated_at": stamp(v.UpdatedAt),
	}
	if v.InstanceId != "" {
		it["device_owner"], it["status"] = "compute:nova", "ACTIVE"
	}
	return it
}

// stamp is a time as Neutron writes it: UTC, whole seconds.
func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05Z") }
