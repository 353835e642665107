package compute

import (
	"encoding/json"
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type hypervisorView struct {
	ID       any    `json:"id"` // a number before 2.53, then a UUID
	Hostname string `json:"hypervisor_hostname"`
	State    string `json:"state"`
	Status   string `json:"status"`
	Servers  any    `json:"servers,omitempty"`
	Uptime   any    `json:"uptime,omitempty"`

	Type                 any        `json:"hypervisor_type,omitempty"`
	Version              any        `json:"hypervisor_version,omitempty"`
	HostIP               any        `json:"host_ip,omitempty"`
	Service              *serviceOf `json:"service,omitempty"`
	*hypervisorStatistic            // of one hypervisor, before 2.88
	CPUInfo              any        `json:"cpu_info,omitempty"`
}

type serviceOf struct {
	ID             any    `json:"id"`
	Host           string `json:"host"`
	DisabledReason any    `json:"disabled_reason"`
}

// hypervisorStatistic is what a hypervisor has, or all of them together.
type hypervisorStatistic struct {
	Count      *int  `json:"count,omitempty"`
	VCPUs      int64 `json:"vcpus"`
	VCPUsUsed  int64 `json:"vcpus_used"`
	RAM        int64 `json:"memory_mb"`
	RAMUsed    int64 `json:"memory_mb_used"`
	RAMFree    int64 `json:"free_ram_mb"`
	Disk       int64 `json:"local_gb"`
	DiskUsed   int64 `json:"local_gb_used"`
	DiskFree   int64 `json:"free_disk_gb"`
	DiskLeast  int64 `json:"disk_available_least"`
	Workload   int64 `json:"current_workload"`
	RunningVMs int64 `json:"running_vms"`
}

func (s *hypervisorStatistic) add(f *messages.HostFacts) {
	s.VCPUs += int64(f.GetVcpus())
	s.VCPUsUsed += int64(f.GetVcpusUsed())
	s.RAM += f.GetRamMib()
	s.RAMUsed += f.GetRamMibUsed()
	s.Disk += f.GetDiskGib()
	s.DiskUsed += f.GetDiskGibUsed()
	s.RAMFree, s.DiskFree = s.RAM-s.RAMUsed, s.Disk-s.DiskUsed
	s.DiskLeast = s.DiskFree
	s.Workload += int64(f.GetBuilding())
	s.RunningVMs += int64(f.GetInstances())
}

// hostSpace and serviceSpace are the name spaces (RFC 9562, version 5) in which
// a host's name gives the ids of its hypervisor and its service.
var (
	hostSpace    = uuid.MustParse("4c0f5f0e-9f0b-5d5e-8a57-5b6fd0f8a1f1")
	serviceSpace = uuid.MustParse("b1d8d6c2-3a0e-5b4f-9a5c-6f2a3f4f9c11")
)

// idOf is the id of a host's hypervisor or service. Before 2.53 ids were
// numbers; one made of the name stays the same, which is all a client needs.
func idOf(r *api.Request, space uuid.UUID, host string) any {
	if r.Version.AtLeast(53) {
		return uuid.NewSHA1(space, []byte(host)).String()
	}
	return numberID(space, host)
}

func numberID(space uuid.UUID, host string) int64 {
	h := fnv.New32a()
	_, _ = h.Write(append(space[:], host...)) // a hash takes everything
	return int64(h.Sum32() & maxInt)
}

func hypervisorName(h *messages.HostView) string {
	if n := h.GetInventory().GetHypervisorHostname(); n != "" {
		return n
	}
	return h.Name
}

func upDown(h *messages.HostView) string {
	if isUp(h) {
		return "up"
	}
	return "down"
}

func enabled(h *messages.HostView) string {
	if h.GetFacts().GetDisabled() {
		return "disabled"
	}
	return "enabled"
}

// noUptime: hypervisors here do not report theirs. From 2.88 the field is
// shown, and a widely used client fails on null.
const noUptime = "not reported"

func hypervisor(r *api.Request, h *messages.HostView, detail bool) hypervisorView {
	v := hypervisorView{
		ID: idOf(r, hostSpace, h.Name), Hostname: hypervisorName(h), State: upDown(h), Status: enabled(h),
	}
	if !detail {
		return v
	}
	inv := h.GetInventory()
	v.Type, v.Version, v.HostIP = inv.GetHypervisorType(), inv.GetHypervisorVersion(), orNull(inv.GetHostIp())
	v.Service = &serviceOf{idOf(r, serviceSpace, h.Name), h.Name, orNull(h.DisabledReason)}
	if r.Version.AtLeast(88) {
		v.Uptime = noUptime
		return v
	}
	v.hypervisorStatistic = &hypervisorStatistic{}
	v.add(h.GetFacts())
	v.CPUInfo = cpuInfo(r, inv.GetCpuInfoJson())
	return v
}

// cpuInfo was a string of JSON before 2.28.
func cpuInfo(r *api.Request, raw string) any {
	if !r.Version.AtLeast(28) {
		return raw
	}
	if !json.Valid([]byte(raw)) {
		return struct{}{}
	}
	return json.RawMessage(raw)
}

func (a *API) listHypervisors(r *api.Request) (api.Response, error) { return a.hypervisors(r, false) }

func (a *API) listHypervisorsDetail(r *api.Request) (api.Response, error) {
	return a.hypervisors(r, true)
}

func (a *API) hypervisors(r *api.Request, detail bool) (api.Response, error) {
	query, err := queryOf(r)
	if err != nil {
		return api.Response{}, err
	}
	hosts, err := a.listHosts(r.Context())
	if err != nil {
		return api.Response{}, err
	}
	slices.SortFunc(hosts, func(a, b *messages.HostView) int { return strings.Compare(a.Name, b.Name) })
	page, hosts, err := a.hypervisorPage(r, query, hosts)
	if err != nil {
		return api.Response{}, err
	}
	out := make([]hypervisorView, 0, len(hosts))
	for _, h := range hosts {
		out = append(out, hypervisor(r, h, detail))
	}
	if err := a.addServers(r, query, hosts, out); err != nil {
		return api.Response{}, err
	}
	body := struct {
		Hypervisors []hypervisorView `json:"hypervisors"`
		Links       []link           `json:"hypervisors_links,omitempty"`
	}{Hypervisors: out}
	if n := len(hosts); n > 0 && page.Limit > 0 {
		body.Links = nextLink(r, page, n, idText(idOf(r, hostSpace, hosts[n-1].Name)))
	}
	return api.Response{Body: body}, nil
}

func idText(id any) string {
	if n, ok := id.(int64); ok {
		return strconv.FormatInt(n, 10)
	}
	return id.(string)
}

// hypervisorPage keeps the hosts asked for: by name from 2.53, in pages from
// 2.33, but not both.
func (a *API) hypervisorPage(r *api.Request, query url.Values, hosts []*messages.HostView) (api.Page, []*messages.HostView, error) {
	pattern := query.Get("hypervisor_hostname_pattern")
	if pattern != "" && r.Version.AtLeast(53) {
		if query.Has("limit") || query.Has("marker") {
			return api.Page{}, nil, badRequest("Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.")
		}
		hosts = matchingHosts(hosts, pattern)
		if len(hosts) == 0 {
			return api.Page{}, nil, notFound("No hypervisor matching '%s' could be found.", clip(pattern))
		}
		return api.Page{}, hosts, nil
	}
	if !r.Version.AtLeast(33) {
		return api.Page{}, hosts, nil
	}
	page, err := api.PageOf(query, a.cfg.MaxPage)
	if err != nil {
		return page, nil, err
	}
	if page.Marker != "" {
		at := slices.IndexFunc(hosts, func(h *messages.HostView) bool {
			return idText(idOf(r, hostSpace, h.Name)) == page.Marker
		})
		if at < 0 {
			return page, nil, noMarker(page.Marker)
		}
		hosts = hosts[at+1:]
	}
	return page, hosts[:min(len(hosts), page.Limit)], nil
}

func matchingHosts(hosts []*messages.HostView, pattern string) []*messages.HostView {
	return slices.DeleteFunc(slices.Clone(hosts), func(h *messages.HostView) bool {
		return !strings.Contains(hypervisorName(h), pattern)
	})
}

// addServers adds the servers of each hypervisor where they are asked for.
func (a *API) addServers(r *api.Request, query url.Values, hosts []*messages.HostView, views []hypervisorView) error {
	if !r.Version.AtLeast(53) || query.Get("with_servers") == "" {
		return nil
	}
	with, err := truth(query.Get("with_servers"))
	if err != nil || !with {
		return err
	}
	return a.fillServers(r, hosts, views)
}

func (a *API) fillServers(r *api.Request, hosts []*messages.HostView, views []hypervisorView) error {
	names := map[string]bool{}
	for _, h := range hosts {
		names[h.Name] = true
	}
	on, err := a.serversOn(r, names)
	if err != nil {
		return err
	}
	for i, h := range hosts {
		if s := on[h.Name]; len(s) > 0 {
			views[i].Servers = s
		} else if r.Version.AtLeast(75) {
			views[i].Servers = []hostedServer{}
		}
	}
	return nil
}
