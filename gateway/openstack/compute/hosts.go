package compute

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of asking hosts how they are.
const (
	hostMemoryTime = time.Second     // how old an answer may be that a list shows
	hostPatience   = 2 * time.Second // what does not answer by then is down
	hostsAtOnce    = 32              // asked side by side
)

// hostMemory remembers for a moment what the hosts said, so that a list of a
// thousand servers does not ask a thousand times.
type hostMemory struct {
	mu    sync.Mutex
	known map[string]remembered
}

type remembered struct {
	view *messages.HostView
	at   time.Time
}

func (m *hostMemory) get(name string, now time.Time) *messages.HostView {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.known[name]; ok && now.Sub(r.at) < hostMemoryTime {
		return r.view
	}
	return nil
}

func (m *hostMemory) put(name string, v *messages.HostView, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]remembered{}
	}
	m.known[name] = remembered{v, now}
}

func (m *hostMemory) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, name)
}

func hostRef(name string) actors.Ref { return actors.Ref{Kind: "host", ID: name} }

const hostIndex = "host/"

// listHosts is every host there is, by name, as its actor sees it now. One that
// does not answer is shown as the index has it, and down.
func (a *API) listHosts(ctx context.Context) ([]*messages.HostView, error) {
	var hosts []*messages.HostView
	err := a.each(ctx, hostIndex, func(e actors.Entry) (bool, error) {
		h, err := read(e, &messages.HostView{})
		hosts = append(hosts, h)
		return true, err
	})
	if err != nil {
		return nil, err
	}
	a.refresh(ctx, hosts)
	return hosts, nil
}

// refresh puts in place of each host what it says now.
func (a *API) refresh(ctx context.Context, hosts []*messages.HostView) {
	var g errgroup.Group
	g.SetLimit(hostsAtOnce)
	for i := range hosts {
		g.Go(func() error {
			hosts[i] = a.freshHost(ctx, hosts[i])
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
}

// freshHost is what the host says now, or lately; or h, down, if nothing.
func (a *API) freshHost(ctx context.Context, h *messages.HostView) *messages.HostView {
	now := time.Now()
	if v := a.hosts.get(h.Name, now); v != nil {
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, hostPatience)
	defer cancel()
	v, err := cluster.Ask[*messages.HostView](ctx, a.cloud, hostRef(h.Name), &messages.GetHost{})
	if err != nil {
		v = silent(h)
	}
	a.hosts.put(h.Name, v, now)
	return v
}

// silent is what is known of a host whose actor does not answer: what its card
// says, and that it is not up.
func silent(h *messages.HostView) *messages.HostView {
	i := h.GetInventory()
	h.Facts = &messages.HostFacts{
		Name: h.Name, AvailabilityZone: h.AvailabilityZone, Disabled: h.Disabled, ForcedDown: h.ForcedDown,
		Vcpus: i.GetVcpus(), RamMib: i.GetRamMib(), DiskGib: i.GetDiskGib(), Arch: i.GetArch(),
		HypervisorType: i.GetHypervisorType(), Storage: i.GetStorage(),
	}
	h.ReportedAt = cmp.Or(h.LostAt, h.UpdatedAt)
	return h
}

// isUp: the host is connected, and no operator has declared it down.
func isUp(h *messages.HostView) bool { return h.GetFacts().GetUp() && !h.GetFacts().GetForcedDown() }

// findHost is the first host that match takes; NotFound if there is none.
func (a *API) findHost(ctx context.Context, match func(*messages.HostView) bool) (*messages.HostView, error) {
	var found *messages.HostView
	err := a.each(ctx, hostIndex, func(e actors.Entry) (bool, error) {
		h, err := read(e, &messages.HostView{})
		if err == nil && match(h) {
			found = h
		}
		return found == nil, err
	})
	if err == nil && found == nil {
		err = notFound("No such host.")
	}
	return found, err
}

// checkZone refuses a zone in which there is no host. The empty zone is any.
func (a *API) checkZone(ctx context.Context, zone string) error {
	if zone == "" {
		return nil
	}
	_, err := a.findHost(ctx, func(h *messages.HostView) bool { return zoneOf(h) == zone })
	if errors.Is(err, messages.NotFound) {
		return badRequest("The requested availability zone is not available")
	}
	return err
}

// defaultZone is where hosts are that name no zone.
const defaultZone = "nova"

func zoneOf(h *messages.HostView) string {
	if z := h.GetFacts().GetAvailabilityZone(); z != "" {
		return z
	}
	return defaultZone
}

// hostStatus says how a host is, in the API's words; "" if it is none.
func (a *API) hostStatus(ctx context.Context, name string) string {
	if name == "" {
		return ""
	}
	h := a.hosts.get(name, time.Now())
	if h == nil {
		h = a.freshHost(ctx, &messages.HostView{Name: name})
	}
	return hostStatus(h)
}

// hostStatuses says how the hosts of servers are, in the API's words.
func (a *API) hostStatuses(ctx context.Context, servers []*messages.InstanceView) map[string]string {
	statuses := map[string]string{"": ""}
	var hosts []*messages.HostView
	for _, v := range servers {
		if _, seen := statuses[v.Host]; !seen {
			statuses[v.Host] = ""
			hosts = append(hosts, &messages.HostView{Name: v.Host})
		}
	}
	a.refresh(ctx, hosts)
	for _, h := range hosts {
		statuses[h.Name] = hostStatus(h)
	}
	return statuses
}

func hostStatus(h *messages.HostView) string {
	switch {
	case h.GetFacts().GetForcedDown():
		return "DOWN"
	case h.GetFacts().GetDisabled():
		return "MAINTENANCE"
	case !h.GetFacts().GetUp():
		return "UNKNOWN" // nothing is heard of it; what is on it may run
	}
	return "UP"
}
