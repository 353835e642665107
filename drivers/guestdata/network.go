package guestdata

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/troupe-cloud/troupe/messages"
)

// networkDoc is openstack/latest/network_data.json.
type networkDoc struct {
	Links    []linkDoc    `json:"links"`
	Networks []networkRow `json:"networks"`
	Services []serviceDoc `json:"services"`
}

type linkDoc struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	MAC  string `json:"ethernet_mac_address"`
	MTU  int32  `json:"mtu,omitempty"`
	VIF  string `json:"vif_id"`
}

type networkRow struct {
	ID        string       `json:"id"`
	Type      string       `json:"type"` // ipv4 (static) or ipv4_dhcp
	Link      string       `json:"link"`
	NetworkID string       `json:"network_id"`
	Address   string       `json:"ip_address,omitempty"`
	Netmask   string       `json:"netmask,omitempty"`
	Routes    []routeDoc   `json:"routes,omitempty"`
	Services  []serviceDoc `json:"services,omitempty"`
}

type routeDoc struct {
	Network string `json:"network"`
	Netmask string `json:"netmask"`
	Gateway string `json:"gateway"`
}

type serviceDoc struct {
	Type    string `json:"type"`
	Address string `json:"address"`
}

// networkData describes the ports in their order. A port whose address is known
// is static, so that a guest with a config drive needs no DHCP; only the first
// gateway becomes a default route.
func networkData(v *messages.InstanceView) networkDoc {
	d := networkDoc{Links: []linkDoc{}, Networks: []networkRow{}, Services: []serviceDoc{}}
	routed := false
	for i, p := range v.GetPorts() {
		link := linkID(p.GetId(), i)
		d.Links = append(d.Links, linkDoc{
			ID: link, Type: "bridge", MAC: p.GetMac(), MTU: p.GetMtu(), VIF: p.GetId(),
		})
		n := networkRow{
			ID: fmt.Sprintf("network%d", i), Type: "ipv4_dhcp", Link: link, NetworkID: p.GetNetworkId(),
		}
		if mask, ok := netmask(p.GetPrefixLength()); ok && p.GetAddress() != "" {
			n.Type, n.Address, n.Netmask = "ipv4", p.GetAddress(), mask
			if p.GetGateway() != "" && !routed {
				n.Routes = []routeDoc{{Network: "0.0.0.0", Netmask: "0.0.0.0", Gateway: p.GetGateway()}}
				routed = true
			}
			for _, server := range p.GetNameservers() {
				n.Services = append(n.Services, serviceDoc{Type: "dns", Address: server})
			}
		}
		d.Networks = append(d.Networks, n)
		for _, s := range n.Services {
			if !slices.Contains(d.Services, s) {
				d.Services = append(d.Services, s)
			}
		}
	}
	return d
}

// linkID names a link as Nova does: "tap" and the start of the port's id.
func linkID(port string, i int) string {
	const shown = 11
	if len(port) < shown {
		return fmt.Sprintf("interface%d", i)
	}
	return "tap" + port[:shown]
}

func netmask(bits int32) (string, bool) {
	if bits < 1 || bits > 32 {
		return "", false
	}
	all := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	p, err := all.Prefix(int(bits))
	if err != nil {
		return "", false
	}
	return p.Addr().String(), true
}
