package network

import (
	"net/http"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
)

// TestGophercloud takes a network through its life with an unmodified client.
func TestGophercloud(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	client := &gophercloud.ServiceClient{
		ProviderClient: &gophercloud.ProviderClient{TokenID: "alice"}, Endpoint: w.url + Prefix + "/", ResourceBase: w.url + Prefix + "/v2.0/",
	}
	up := true
	net, err := networks.Create(ctx, client, networks.CreateOpts{Name: "g", AdminStateUp: &up}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	sub, err := subnets.Create(ctx, client, subnets.CreateOpts{
		NetworkID: net.ID, CIDR: "10.9.0.0/24", IPVersion: gophercloud.IPv4, AllocationPools: []subnets.AllocationPool{{Start: "10.9.0.10", End: "10.9.0.20"}},
	}).Extract()
	if err != nil || sub.GatewayIP != "10.9.0.1" || !sub.EnableDHCP {
		t.Fatalf("got %+v, %v", sub, err)
	}
	port, err := ports.Create(ctx, client, ports.CreateOpts{NetworkID: net.ID, Name: "p", FixedIPs: []ports.IP{{SubnetID: sub.ID}}}).Extract()
	if err != nil || len(port.FixedIPs) != 1 || port.FixedIPs[0].IPAddress != "10.9.0.10" {
		t.Fatalf("got %+v, %v", port, err)
	}
	name := "q"
	if port, err = ports.Update(ctx, client, port.ID, ports.UpdateOpts{Name: &name}).Extract(); err != nil || port.Name != name {
		t.Errorf("got %+v, %v", port, err)
	}
	pages, err := ports.List(client, ports.ListOpts{NetworkID: net.ID, Limit: 1}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := ports.ExtractPorts(pages); err != nil || len(list) != 1 {
		t.Errorf("listed %v, %v", list, err)
	}
	if err := networks.Delete(ctx, client, net.ID).ExtractErr(); !gophercloud.ResponseCodeIs(err, http.StatusConflict) {
		t.Errorf("deleting a network in use: %v", err)
	}
	if err := ports.Delete(ctx, client, port.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
	if err := subnets.Delete(ctx, client, sub.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
	if err := networks.Delete(ctx, client, net.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
}
