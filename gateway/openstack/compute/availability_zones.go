package compute

import (
	"maps"
	"slices"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type zoneView struct {
	Name  string    `json:"zoneName"`
	State zoneState `json:"zoneState"`
	Hosts any       `json:"hosts"`
}

type zoneState struct {
	Available bool `json:"available"`
}

type zoneService struct {
	Available bool `json:"available"`
	Active    bool `json:"active"`
	Updated   any  `json:"updated_at"`
}

// service is the one service of a host that the API knows.
const service = "nova-compute"

func (a *API) listZones(r *api.Request) (api.Response, error) { return a.zones(r, false) }

// listZonesDetail also names the hosts of each zone, for administrators.
func (a *API) listZonesDetail(r *api.Request) (api.Response, error) { return a.zones(r, true) }

func (a *API) zones(r *api.Request, detail bool) (api.Response, error) {
	hosts, err := a.listHosts(r.Context())
	if err != nil {
		return api.Response{}, err
	}
	byZone := map[string][]*messages.HostView{}
	for _, h := range hosts {
		byZone[zoneOf(h)] = append(byZone[zoneOf(h)], h)
	}
	out := []zoneView{}
	for _, name := range slices.Sorted(maps.Keys(byZone)) {
		out = append(out, zone(name, byZone[name], detail))
	}
	return api.Response{Body: struct {
		Zones []zoneView `json:"availabilityZoneInfo"`
	}{out}}, nil
}

// zone is available if one of its hosts takes servers.
func zone(name string, hosts []*messages.HostView, detail bool) zoneView {
	v := zoneView{Name: name}
	services := map[string]map[string]zoneService{}
	for _, h := range hosts {
		f := h.GetFacts()
		if f.GetDisabled() {
			continue
		}
		v.State.Available = v.State.Available || f.GetUp()
		services[h.Name] = map[string]zoneService{service: {f.GetUp(), true, fineStamp(h.UpdatedAt)}}
	}
	if detail && v.State.Available {
		v.Hosts = services
	}
	return v
}
