package compute_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/availabilityzones"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/hypervisors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/services"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/tags"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/usage"
)

// client is gophercloud's, as it is, pointed at the world.
func (w *world) client(token, version string) *gophercloud.ServiceClient {
	p := &gophercloud.ProviderClient{TokenID: token}
	p.HTTPClient = *http.DefaultClient
	return &gophercloud.ServiceClient{
		ProviderClient: p, Endpoint: w.url + "/v2.1/", Type: "compute", Microversion: version,
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestGophercloud is the life of a server as a program with an unmodified
// client library sees it.
func TestGophercloud(t *testing.T) {
	w := newWorld(t, 2)
	ctx := t.Context()
	admin, user := w.client("admin", "2.90"), w.client("user", "2.90")

	key := must[*keypairs.KeyPair](t)(keypairs.Create(ctx, user, keypairs.CreateOpts{Name: "mine"}).Extract())
	if !strings.Contains(key.PrivateKey, "RSA PRIVATE KEY") || key.Fingerprint == "" {
		t.Errorf("keypair: %+v", key)
	}
	made := must[*flavors.Flavor](t)(flavors.Create(ctx, admin, flavors.CreateOpts{
		Name: "own", RAM: 64, VCPUs: 1, Disk: gophercloud.IntToPointer(1),
	}).Extract())
	must[map[string]string](t)(flavors.CreateExtraSpecs(ctx, admin, made.ID, flavors.ExtraSpecsOpts{"own:key": "v"}).Extract())
	pages, err := flavors.ListDetail(user, nil).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all := must[[]flavors.Flavor](t)(flavors.ExtractFlavors(pages)); len(all) != 8 {
		t.Errorf("%d flavors", len(all))
	}

	built := must[*servers.Server](t)(servers.Create(ctx, user, servers.CreateOpts{
		Name: "web 1", FlavorRef: made.ID, ImageRef: smallImage, Networks: []servers.Network{{UUID: flatNet}},
		Metadata: map[string]string{"role": "web"}, UserData: []byte("#!/bin/sh\n"), Tags: []string{"blue"},
	}, nil).Extract())
	if built.AdminPass == "" {
		t.Error("no password")
	}
	if err := servers.WaitForStatus(ctx, user, built.ID, "ACTIVE"); err != nil {
		t.Fatal(err)
	}
	got := must[*servers.Server](t)(servers.Get(ctx, user, built.ID).Extract())
	if got.Name != "web 1" || got.Flavor["original_name"] != "own" || len(got.Addresses["flat"].([]any)) != 1 || got.Metadata["role"] != "web" {
		t.Errorf("server: %+v", got)
	}
	listed, err := servers.List(user, servers.ListOpts{Name: "^web"}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all := must[[]servers.Server](t)(servers.ExtractServers(listed)); len(all) != 1 || all[0].ID != built.ID {
		t.Errorf("listed: %+v", all)
	}

	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return servers.Stop(ctx, user, built.ID).ExtractErr() }, "SHUTOFF"},
		{func() error { return servers.Start(ctx, user, built.ID).ExtractErr() }, "ACTIVE"},
		{func() error {
			return servers.Reboot(ctx, user, built.ID, servers.RebootOpts{Type: servers.SoftReboot}).ExtractErr()
		}, "ACTIVE"},
		{func() error {
			return servers.Reboot(ctx, user, built.ID, servers.RebootOpts{Type: servers.HardReboot}).ExtractErr()
		}, "ACTIVE"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		w.rests("user", built.ID, step.want)
	}
	console := must[string](t)(servers.ShowConsoleOutput(ctx, user, built.ID, servers.ShowConsoleOutputOpts{Length: 5}).Extract())
	if console == "" {
		t.Error("the console is empty")
	}

	renamed := must[*servers.Server](t)(servers.Update(ctx, user, built.ID, servers.UpdateOpts{Name: "web-2"}).Extract())
	md := must[map[string]string](t)(servers.UpdateMetadata(ctx, user, built.ID, servers.MetadataOpts{"more": "x"}).Extract())
	if renamed.Name != "web-2" || len(md) != 2 {
		t.Errorf("renamed %q, metadata %v", renamed.Name, md)
	}
	if err := tags.Add(ctx, user, built.ID, "green").ExtractErr(); err != nil {
		t.Fatal(err)
	}
	if all := must[[]string](t)(tags.List(ctx, user, built.ID).Extract()); len(all) != 2 {
		t.Errorf("tags: %v", all)
	}
	w.showsHistory(t, built.ID, user)
	w.showsTheCloud(t, built.ID)

	if err := servers.Delete(ctx, user, built.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	w.until("the server is gone", func() bool {
		_, err := servers.Get(ctx, user, built.ID).Extract()
		return gophercloud.ResponseCodeIs(err, http.StatusNotFound)
	})
	if err := keypairs.Delete(ctx, user, "mine", nil).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	if err := flavors.Delete(ctx, admin, made.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	var gone gophercloud.ErrUnexpectedResponseCode
	if _, err := flavors.Get(ctx, admin, made.ID).Extract(); !errors.As(err, &gone) || gone.Actual != http.StatusNotFound {
		t.Errorf("a deleted flavor: %v", err)
	}
}

func (w *world) showsHistory(t *testing.T, id string, user *gophercloud.ServiceClient) {
	t.Helper()
	ctx := t.Context()
	pages, err := instanceactions.List(user, id, nil).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	actions := must[[]instanceactions.InstanceAction](t)(instanceactions.ExtractInstanceActions(pages))
	var names []string
	for _, a := range actions {
		names = append(names, a.Action)
	}
	if got := strings.Join(names, " "); got != "reboot reboot start stop create" {
		t.Fatalf("history: %s", got)
	}
	one := must[instanceactions.InstanceActionDetail](t)(instanceactions.Get(ctx, user, id, actions[4].RequestID).Extract())
	if one.Events == nil || len(*one.Events) == 0 {
		t.Errorf("no events: %+v", one)
	}
}

// showsTheCloud is what an administrator asks for.
func (w *world) showsTheCloud(t *testing.T, id string) {
	t.Helper()
	ctx, admin := t.Context(), w.client("admin", "2.87")
	pages, err := hypervisors.List(admin, nil).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	hosts := must[[]hypervisors.Hypervisor](t)(hypervisors.ExtractHypervisors(pages))
	if len(hosts) != 2 || hosts[0].State != "up" || hosts[0].VCPUs == 0 {
		t.Errorf("hypervisors: %+v", hosts)
	}
	must[*hypervisors.Statistics](t)(hypervisors.GetStatistics(ctx, admin).Extract())
	must[*hypervisors.Hypervisor](t)(hypervisors.Get(ctx, admin, hosts[0].ID).Extract())

	pages, err = services.List(admin, nil).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	list := must[[]services.Service](t)(services.ExtractServices(pages))
	if len(list) != 2 || list[0].Binary != "nova-compute" {
		t.Errorf("services: %+v", list)
	}
	off := must[*services.Service](t)(services.Update(ctx, admin, list[0].ID, services.UpdateOpts{
		Status: services.ServiceDisabled, DisabledReason: "mending",
	}).Extract())
	if off.Status != "disabled" || off.DisabledReason != "mending" {
		t.Errorf("service: %+v", off)
	}
	must[*services.Service](t)(services.Update(ctx, admin, list[0].ID, services.UpdateOpts{Status: services.ServiceEnabled}).Extract())

	pages, err = availabilityzones.ListDetail(admin).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	zones := must[[]availabilityzones.AvailabilityZone](t)(availabilityzones.ExtractAvailabilityZones(pages))
	if len(zones) != 1 || zones[0].ZoneName != "nova" || !zones[0].ZoneState.Available || len(zones[0].Hosts) != 2 {
		t.Errorf("zones: %+v", zones)
	}
	detail := must[quotasets.QuotaDetailSet](t)(quotasets.GetDetail(ctx, admin, "p-user").Extract())
	if detail.Instances.InUse != 1 || detail.RAM.InUse != 64 {
		t.Errorf("quota: %+v", detail)
	}
	set := must[*quotasets.QuotaSet](t)(quotasets.Update(ctx, admin, "p-user", quotasets.UpdateOpts{Cores: gophercloud.IntToPointer(33)}).Extract())
	if set.Cores != 33 {
		t.Errorf("cores: %d", set.Cores)
	}
	if err := quotasets.Delete(ctx, admin, "p-user").Err; err != nil {
		t.Fatal(err)
	}
	own := must[*limits.Limits](t)(limits.Get(ctx, w.client("user", "2.90"), nil).Extract())
	if own.Absolute.TotalInstancesUsed != 1 || own.Absolute.MaxTotalCores != 20 {
		t.Errorf("limits: %+v", own.Absolute)
	}
	pages, err = usage.SingleTenant(w.client("user", "2.90"), "p-user", nil).AllPages(ctx)
	if err != nil {
		t.Logf("usage without a period: %v", err) // start and end are the same moment: refused, as in Nova
	} else {
		must[*usage.TenantUsage](t)(usage.ExtractSingleTenant(pages))
	}
}
