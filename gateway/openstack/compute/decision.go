package compute

import (
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/troupe/shape"
	"github.com/troupe-cloud/troupe/messages"
)

// showDecision explains the placing of a server; the compute API has no route for it.
// Names of hosts are for
// administrators; others see what each filter removed, and how many.
func (a *API) showDecision(r *api.Request) (api.Response, error) {
	id, err := serverID(r)
	if err != nil {
		return api.Response{}, err
	}
	d, err := cluster.Ask[*messages.Decision](r.Context(), a.cloud, instanceRef(id),
		&messages.GetDecision{Scope: r.Principal.Scope()})
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: struct {
		Decision shape.Placing `json:"decision"`
	}{decision(d, r.Principal.Admin())}}, nil
}

func decision(d *messages.Decision, admin bool) shape.Placing {
	v := shape.Placing{
		At: stamp(d.At), Mode: d.Mode, Hosts: d.Hosts, Batch: d.Batch,
		Removed: []shape.RemovedHosts{}, Best: []shape.HostScore{},
	}
	for _, f := range d.Removed {
		row := shape.RemovedHosts{Filter: f.Filter, Hosts: f.Hosts}
		if admin {
			row.Example = f.Example
		}
		v.Removed = append(v.Removed, row)
	}
	if !admin {
		return v
	}
	if d.Chosen != "" {
		v.Chosen = &d.Chosen
	}
	for _, h := range d.Best {
		s := shape.HostScore{Host: h.Host, Score: h.Score, Shares: []shape.WeigherPart{}}
		for _, w := range h.Shares {
			s.Shares = append(s.Shares, shape.WeigherPart{Weigher: w.Weigher, Raw: w.Raw, Share: w.Share})
		}
		v.Best = append(v.Best, s)
	}
	return v
}
