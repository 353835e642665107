package compute

import (
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type basicFlavor struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Links       []link `json:"links"`
	Description any    `json:"description,omitempty"` // from 2.55
}

type flavorView struct {
	basicFlavor
	VCPUs      int32   `json:"vcpus"`
	RAM        int64   `json:"ram"`
	Disk       int64   `json:"disk"`
	Ephemeral  int64   `json:"OS-FLV-EXT-DATA:ephemeral"`
	Swap       any     `json:"swap"`
	RXTXFactor float64 `json:"rxtx_factor"`
	Public     bool    `json:"os-flavor-access:is_public"`
	Disabled   bool    `json:"OS-FLV-DISABLED:disabled"`
	ExtraSpecs any     `json:"extra_specs,omitempty"` // from 2.61
}

func basic(r *api.Request, f *messages.Flavor) basicFlavor {
	v := basicFlavor{ID: f.Id, Name: f.Name, Links: links(r, "flavors", f.Id)}
	if r.Version.AtLeast(55) {
		v.Description = orNull(f.Description)
	}
	return v
}

func flavor(r *api.Request, f *messages.Flavor) flavorView {
	v := flavorView{
		basicFlavor: basic(r, f), VCPUs: f.Vcpus, RAM: f.RamMib, Disk: f.DiskGib, Ephemeral: f.EphemeralGib,
		Swap: f.SwapMib, RXTXFactor: f.RxtxFactor, Public: f.Public, Disabled: f.Disabled,
	}
	if f.SwapMib == 0 && !r.Version.AtLeast(75) {
		v.Swap = "" // as it was before
	}
	if r.Version.AtLeast(61) {
		v.ExtraSpecs = orEmpty(f.ExtraSpecs)
	}
	return v
}

func oneFlavor(r *api.Request, f *messages.Flavor) api.Response {
	return api.Response{Body: struct {
		Flavor flavorView `json:"flavor"`
	}{flavor(r, f)}}
}
