package compute

import (
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// decisionView says why a server is where it is. The route is ours: the compute
// API has none for it.
type decisionView struct {
	At      string        `json:"decided_at"`
	Mode    string        `json:"mode"`
	Hosts   int32         `json:"hosts_asked"`
	Batch   int32         `json:"decided_together"`
	Removed []removedView `json:"removed"`
	Best    []scoreView   `json:"best"`
	Chosen  any           `json:"chosen"`
}

type removedView struct {
	Filter  string `json:"filter"`
	Hosts   int32  `json:"hosts"`
	Example string `json:"example,omitempty"`
}

type scoreView struct {
	Host   string      `json:"host"`
	Score  float64     `json:"score"`
	Shares []shareView `json:"shares"`
}

type shareView struct {
	Weigher string  `json:"weigher"`
	Raw     float64 `json:"raw"`
	Share   float64 `json:"share"`
}

// showDecision explains the placing of a server. Names of hosts are for
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
		Decision decisionView `json:"decision"`
	}{decision(d, r.Principal.Admin())}}, nil
}

func decision(d *messages.Decision, admin bool) decisionView {
	v := decisionView{
		At: stamp(d.At), Mode: d.Mode, Hosts: d.Hosts, Batch: d.Batch,
		Removed: []removedView{}, Best: []scoreView{}, Chosen: null,
	}
	for _, f := range d.Removed {
		row := removedView{Filter: f.Filter, Hosts: f.Hosts}
		if admin {
			row.Example = f.Example
		}
		v.Removed = append(v.Removed, row)
	}
	if !admin {
		return v
	}
	v.Chosen = orNull(d.Chosen)
	for _, h := range d.Best {
		s := scoreView{Host: h.Host, Score: h.Score, Shares: []shareView{}}
		for _, w := range h.Shares {
			s.Shares = append(s.Shares, shareView{w.Weigher, w.Raw, w.Share})
		}
		v.Best = append(v.Best, s)
	}
	return v
}
