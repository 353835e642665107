package sim

import (
	"bytes"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/actors/project"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// check holds after every event. It looks at what was committed since it last
// looked, and at every machine.
func (w *World) check() {
	w.oneDomainPerInstance()
	for _, ref := range w.dirty {
		switch ref.Kind {
		case instance.Kind:
			w.checkInstance(ref)
		case host.Kind:
			w.checkHost(ref)
		case project.Kind:
			w.checkProject(ref)
		case network.Kind:
			w.checkNetwork(ref)
			w.checkListed()
		case service.Kind:
			w.checkListed()
		}
	}
	w.dirty = w.dirty[:0]
}

// rows shows the rows of a grain's tables.
func (w *World) rows(ref actors.Ref) []string {
	var all []string
	for _, k := range w.rowKeys(actors.RowPrefix(ref)) {
		all = append(all, k+"="+string(w.store[k].value))
	}
	return all
}

// read is a grain's state as the store holds it.
func read[S any](w *World, ref actors.Ref) S {
	rev := w.store[actors.RecordKey(ref)].rev
	if r, ok := w.reads[ref]; ok && r.rev == rev { // every commit writes the record
		s, _ := r.value.(S)
		return s
	}
	kind := w.kinds[ref.Kind]
	record, rows := w.load(&activation{ref: ref}, kind)
	st, err := kind.Open(record, rows)
	if err != nil {
		w.fail("read %v: %w", ref, err)
	}
	w.reads[ref] = seenState{rev, st.Value()}
	s, _ := st.Value().(S)
	return s
}

// seenState is a state as it was read, and at which revision.
type seenState struct {
	rev   uint64
	value any
}

// oneDomainPerInstance: of all the machines of an instance, all but one are on hosts
// that have promised to let go of them; of a deleted one, all are.
func (w *World) oneDomainPerInstance() {
	seen := map[string]string{}
	for _, h := range w.hosts {
		for _, id := range sorted(h.domains) {
			other, twice := seen[id]
			seen[id] = h.name
			if !twice && !w.gone[id] || w.givenAway(h.name, id) {
				if twice && w.givenAway(h.name, id) {
					seen[id] = other
				}
				continue
			}
			if w.gone[id] {
				w.fail("%s is deleted, and runs on %s", id, h.name)
			} else if !w.givenAway(other, id) {
				w.fail("%s runs on %s and on %s", id, other, h.name)
			}
		}
	}
}

// declaredDown: an operator has said so.
func (w *World) declaredDown(name string) bool {
	card, ok := read[host.State](w, actors.Ref{Kind: host.Kind, ID: name}).Card.Get("card")
	return ok && card.ForcedDown
}

// givenAway: the host has committed that the machine is not its own any more.
func (w *World) givenAway(name, id string) bool {
	c, ok := read[host.State](w, actors.Ref{Kind: host.Kind, ID: name}).Claims.Get(id)
	switch c.Kind {
	case messages.OrderKind_ORDER_KIND_YIELD, messages.OrderKind_ORDER_KIND_RELEASE, messages.OrderKind_ORDER_KIND_DELETE:
		return true
	}
	return !ok || c.Stray
}

// checkInstance: deleted stays deleted and its machine is gone; the index shows
// exactly what the record says.
func (w *World) checkInstance(ref actors.Ref) {
	s := read[instance.State](w, ref)
	isGone := s.View.GetVmState() == messages.VMState_VM_STATE_DELETED
	if w.gone[ref.ID] && !isGone {
		w.fail("%s was deleted and is %v", ref.ID, s.View.GetVmState())
	}
	if isGone && !w.gone[ref.ID] {
		w.gone[ref.ID] = true
		w.oneDomainPerInstance()
	}
	if s.View == nil {
		w.fail("%s was committed without a view", ref.ID)
		return
	}
	entry, listed := w.store["index/"+instance.IndexKey(s.View)]
	shown := !isGone && s.View.TaskState != messages.TaskState_TASK_STATE_ADMITTING
	if listed != shown {
		w.fail("%s: listed %v, shown %v", ref.ID, listed, shown)
	}
	if want, _ := (proto.MarshalOptions{Deterministic: true}).Marshal(s.View); listed && !bytes.Equal(entry.value, want) {
		w.fail("%s: the index shows something else than the record", ref.ID)
	}
}

// checkHost: the sums are the sums of the claims, they fit the machine, and no
// domain is without a claim but one that was found and asked about.
func (w *World) checkHost(ref actors.Ref) {
	s := read[host.State](w, ref)
	var cpus, working, untold, n int32
	var ram, disk int64
	for _, c := range s.Claims.All() {
		cpus, ram, disk, n = cpus+c.VCPUs, ram+c.RAMMiB, disk+c.DiskGiB, n+1
		switch {
		case c.Working:
			working++
		case c.Untold || c.Looking:
			untold++
		}
	}
	if cpus != s.VCPUs || ram != s.RAMMiB || disk != s.DiskGiB || n != s.Instances || working != s.Working || untold != s.Untold {
		w.fail("%v: its sums are not those of its claims", ref)
	}
	if card, ok := s.Card.Get("card"); ok && (ram > card.Inventory.RamMib || disk > card.Inventory.DiskGib) {
		w.fail("%v promises %d MiB and %d GiB of %d and %d", ref, ram, disk, card.Inventory.RamMib, card.Inventory.DiskGib)
	}
	for id := range w.hypervisor(ref.ID).domains {
		if _, claimed := s.Claims.Get(id); !claimed {
			w.fail("%s runs on %s without a claim", id, ref.ID)
		}
	}
}

// checkProject: the sums are those of the roster and within the limits, and
// everybody on the roster knows that it holds a share.
func (w *World) checkProject(ref actors.Ref) {
	s := read[project.State](w, ref)
	var n, cores, ram int64
	for id, share := range s.Roster.All() {
		n, cores, ram = n+1, cores+share.Cores, ram+share.RAMMiB
		if i := read[instance.State](w, actors.Ref{Kind: instance.Kind, ID: id}); !i.QuotaHeld {
			w.fail("%v counts %s, which holds nothing", ref, id)
		}
	}
	if n != s.Instances || cores != s.Cores || ram != s.RAM {
		w.fail("%v: its sums are not those of its roster", ref)
	}
	limits := project.Defaults()
	for k, v := range s.Limits {
		limits[k] = v
	}
	if n > limits["instances"] || cores > limits["cores"] || ram > limits["ram"] {
		w.fail("%v uses %d instances, %d cores, %d MiB: over its quota", ref, n, cores, ram)
	}
}

// checkNetwork: no address twice, everybody with a port knows that it may have
// one, and the index has exactly the ports that there are.
func (w *World) checkNetwork(ref actors.Ref) {
	s := read[network.State](w, ref)
	taken := map[string]string{}
	for id, p := range s.Ports.All() {
		if other, twice := taken[p.Address.String()]; twice {
			w.fail("%v gives %v to %s and to %s", ref, p.Address, other, id)
		}
		taken[p.Address.String()] = id
		if (p.InstanceID != "" || !p.Keep) && !slices.Contains(s.PortsOf(p.InstanceID), id) {
			w.fail("%v has port %s of %s, which does not have it", ref, id, p.InstanceID)
		}
	}
	for _, id := range holders(s) {
		i := read[instance.State](w, actors.Ref{Kind: instance.Kind, ID: id})
		if !slices.ContainsFunc(i.Networks, func(n instance.Network) bool { return n.ID == ref.ID && n.Held }) {
			w.fail("%v has ports of %s, which holds none", ref, id)
		}
	}
}

// holders are the instances that have ports, or a row for them.
func holders(s network.State) []string {
	all := map[string]bool{}
	for id := range s.Instances.All() {
		all[id] = true
	}
	for _, p := range s.Ports.All() {
		if p.InstanceID != "" {
			all[p.InstanceID] = true
		}
	}
	return sorted(all)
}

// settled is what must hold once the weather is calm: nothing is under way,
// ACTIVE means running, and nothing is left of what is gone.
func (w *World) settled() {
	for _, ref := range w.restless() {
		w.fail("never settled: %v: %s, rows %v", ref, w.store[actors.RecordKey(ref)].value, w.rows(ref))
	}
	claims, shares, ports := map[string]string{}, map[string]bool{}, map[string]bool{}
	w.noDiskLeaks()
	for _, key := range w.rowKeys("grain/") {
		kind, id, _ := strings.Cut(strings.TrimPrefix(key, "grain/"), "/")
		switch kind {
		case host.Kind:
			for i := range read[host.State](w, actors.Ref{Kind: kind, ID: id}).Claims.All() {
				if other, twice := claims[i]; twice {
					w.fail("%s and %s hold claims for %s", other, id, i)
				}
				claims[i] = id
			}
		case project.Kind:
			for i := range read[project.State](w, actors.Ref{Kind: kind, ID: id}).Roster.All() {
				shares[i] = true
			}
		case network.Kind:
			for _, i := range holders(read[network.State](w, actors.Ref{Kind: kind, ID: id})) {
				ports[i] = true
			}
		}
	}
	for _, key := range w.rowKeys("grain/") {
		if id, ok := strings.CutPrefix(key, "grain/"+instance.Kind+"/"); ok {
			w.settledInstance(id, claims, shares)
			w.settledPorts(id, ports)
		}
	}
	for _, id := range sorted(claims) {
		w.fail("%s holds a claim for %s, which is not there", claims[id], id)
	}
	for _, id := range sorted(shares) {
		w.fail("a share of the quota is held for %s, which is not there", id)
	}
	for _, id := range sorted(ports) {
		w.fail("ports are held for %s, which is not there", id)
	}
	for _, id := range sorted(w.users.acked) {
		ref := actors.Ref{Kind: instance.Kind, ID: id}
		if _, ok := w.store[actors.RecordKey(ref)]; !ok {
			w.fail("%s was acknowledged and is lost", id)
		} else if read[instance.State](w, ref).Hidden {
			w.fail("%s was acknowledged and is refused", id)
		}
	}
}

func (w *World) settledInstance(id string, claims map[string]string, shares map[string]bool) {
	s := read[instance.State](w, actors.Ref{Kind: instance.Kind, ID: id})
	v := s.View
	if v.TaskState != messages.TaskState_TASK_STATE_NONE {
		w.fail("%s is stuck in %v", id, v.TaskState)
	}
	var on string
	var d domain
	for _, h := range w.hosts {
		if found, ok := h.domains[id]; ok {
			if on != "" {
				w.fail("%s is on %s and on %s", id, on, h.name)
			}
			on, d = h.name, found
		}
	}
	if on != v.Host && !(v.VmState == messages.VMState_VM_STATE_ERROR && on == "") {
		w.fail("%s says it is on %q and is on %q (%v)", id, v.Host, on, v.VmState)
	}
	if (v.VmState == messages.VMState_VM_STATE_ACTIVE) != (d.power == messages.PowerState_POWER_STATE_RUNNING) {
		w.fail("%s is %v and its machine %v", id, v.VmState, d.power)
	}
	if v.VmState != messages.VMState_VM_STATE_ERROR && v.PowerState != d.power {
		w.fail("%s shows power %v, its machine %v", id, v.PowerState, d.power)
	}
	if v.Host != "" && claims[id] != v.Host {
		w.fail("%s is on %s, the claim on %q", id, v.Host, claims[id])
	}
	if claims[id] == v.Host {
		delete(claims, id)
	}
	if s.QuotaHeld != shares[id] {
		w.fail("%s holds quota: %v, the project says %v", id, s.QuotaHeld, shares[id])
	}
	delete(shares, id)
}

func (w *World) settledPorts(id string, ports map[string]bool) {
	s := read[instance.State](w, actors.Ref{Kind: instance.Kind, ID: id})
	held := slices.ContainsFunc(s.Networks, func(n instance.Network) bool { return n.Held })
	if held != ports[id] {
		w.fail("%s holds ports: %v, the network says %v", id, held, ports[id])
	}
	if s.View.VmState == messages.VMState_VM_STATE_ACTIVE && len(s.View.Ports) != len(s.Networks) {
		w.fail("%s is ACTIVE with %d of %d ports", id, len(s.View.Ports), len(s.Networks))
	}
	delete(ports, id)
}

// noDiskLeaks: on shared storage there is a disk for each machine, and no other, and
// it is its host's.
func (w *World) noDiskLeaks() {
	if w.disks == nil {
		return
	}
	with := map[string]bool{}
	for _, h := range w.hosts {
		for _, id := range sorted(h.domains) {
			with[id] = true
			if d := w.disks[id]; d == nil || d.owner != h.name && d.owner != "" {
				w.fail("%s on %s has disk %+v", id, h.name, d)
			}
		}
	}
	for _, id := range sorted(w.disks) {
		if !with[id] {
			w.fail("a disk is left of %s: %+v", id, w.disks[id])
		}
	}
}
