package network

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// portSpace is the name space (RFC 9562) of ids that follow from network,
// instance and number: asking again gives the same ports.
var portSpace = uuid.MustParse("6f2ae1a4-6f0b-5c0e-9b3c-0a6b1f0c7d52")

// PortID is the id of the nth port (from 0) that network makes for instance. It
// begins as the instance's id does, where that one begins with the time (version
// 7): ports of one moment stand side by side in the store, as the instances do.
func PortID(network, instance string, n int) string {
	id := uuid.NewSHA1(portSpace, fmt.Appendf(nil, "%s/%s/%d", network, instance, n))
	if of, ok := timed(instance); ok {
		copy(id[:6], of[:6])
		id[6] = id[6]&0x0f | 0x80 // version 8: of our own making
	}
	return id.String()
}

// timed says whether an instance's id begins with the time.
func timed(instance string) (id uuid.UUID, ok bool) {
	id, err := uuid.Parse(instance)
	return id, err == nil && id.Version() == 7
}

// PortsOf are the ids of an instance's ports, in the order in which it asked for them.
func (s State) PortsOf(instance string) []string {
	if ids, ok := s.Instances.Get(instance); ok {
		return ids
	}
	var ids []string
	for n := range MaxRequests {
		id := PortID(s.ID, instance, n)
		if p, ok := s.Ports.Get(id); !ok || !p.Lean || p.InstanceID != instance {
			break
		}
		ids = append(ids, id)
	}
	return ids
}

// allocate gives an instance all the ports it asks for, or none. It answers by
// a fact told to the instance, also where it refuses: a Tell has no other way back.
func allocate(s State, in actors.Input, m *messages.AllocatePorts) (State, []actors.Effect, error) {
	if len(s.PortsOf(m.InstanceId)) > 0 {
		return s, []actors.Effect{s.allocated(in, m.InstanceId)}, nil
	}
	if _, gone := s.Graves.Get(m.InstanceId); gone {
		return s, nil, nil // a late request of an instance that has let go
	}
	after, err := s.allocateAll(in, m)
	if err != nil {
		return s, []actors.Effect{tell(m.InstanceId, &messages.PortsRefused{
			InstanceId: m.InstanceId, NetworkId: in.ID, Reason: messages.Sentence(err),
		})}, nil
	}
	return after, []actors.Effect{after.allocated(in, m.InstanceId)}, nil
}

func (s State) allocateAll(in actors.Input, m *messages.AllocatePorts) (State, error) {
	requests := m.Requests
	if len(requests) == 0 {
		requests = []*messages.NetworkRequest{{NetworkId: in.ID}}
	}
	switch {
	case m.InstanceId == "" || checkNames(m.InstanceId, m.ProjectId) != nil:
		return s, fmt.Errorf("ports are for an instance: %w", messages.Invalid)
	case !s.exists() || !s.visible(m.ProjectId):
		return s, absent(in.ID)
	case len(requests) > MaxRequests:
		return s, fmt.Errorf("an instance has at most %d ports on a network: %w", MaxRequests, messages.Invalid)
	}
	lean := in.Writes(actors.FormatLean) && follow(m.InstanceId, requests)
	var ids []string
	for n, r := range requests {
		p, err := Port{}, error(nil)
		if r.PortId != "" {
			s, p, err = s.lend(in, m, r)
		} else {
			p = Port{ID: PortID(in.ID, m.InstanceId, n), ProjectID: m.ProjectId, InstanceID: m.InstanceId, Lean: lean}
			s, p, err = s.add(in, p, r.FixedIp, "")
		}
		if err != nil {
			return s, err
		}
		ids = append(ids, p.ID)
	}
	if !lean {
		s.Instances = s.Instances.Set(m.InstanceId, ids)
	}
	return s, nil
}

// follow says whether all that is asked for follows from the instance's id.
func follow(instance string, requests []*messages.NetworkRequest) bool {
	_, ok := timed(instance)
	return ok && !slices.ContainsFunc(requests, func(r *messages.NetworkRequest) bool { return r.PortId != "" })
}

// lend hands a port that a user made to an instance of the same project.
func (s State) lend(in actors.Input, m *messages.AllocatePorts, r *messages.NetworkRequest) (State, Port, error) {
	p, ok := s.Ports.Get(r.PortId)
	switch {
	case !ok || p.ProjectID != m.ProjectId:
		return s, p, fmt.Errorf("port %.80s could not be found: %w", r.PortId, messages.NotFound)
	case p.InstanceID != "":
		return s, p, fmt.Errorf("port %s is in use: %w", p.ID, messages.Conflict)
	case r.FixedIp != "" && r.FixedIp != p.Address.String():
		return s, p, fmt.Errorf("port %s has the address %v, not %.50s: %w", p.ID, p.Address, r.FixedIp, messages.Conflict)
	}
	p.InstanceID, p.UpdatedAt = m.InstanceId, in.Now.UnixNano()
	s.Ports = s.Ports.Set(p.ID, p)
	return s, p, nil
}

// release takes an instance's ports back, those that users made excepted, and
// remembers that it is gone: a late request must not bring them back.
func release(s State, in actors.Input, m *messages.ReleasePorts) (State, []actors.Effect, error) {
	done := []actors.Effect{tell(m.InstanceId, &messages.PortsReleased{InstanceId: m.InstanceId, NetworkId: in.ID})}
	if s.ID == "" || m.InstanceId == "" {
		return s, done, nil
	}
	if _, gone := s.Graves.Get(m.InstanceId); gone {
		return s, done, nil
	}
	for _, id := range s.PortsOf(m.InstanceId) {
		p, ok := s.Ports.Get(id)
		switch {
		case ok && p.Keep:
			p.InstanceID, p.UpdatedAt = "", in.Now.UnixNano()
			s.Ports = s.Ports.Set(id, p)
		case ok:
			s = s.drop(p)
		}
	}
	s.Instances = s.Instances.Delete(m.InstanceId)
	s.Graves = s.Graves.Bury(actors.Grave{ID: m.InstanceId, At: in.Now})
	return s, done, nil
}

// allocated is the fact that tells an instance its ports.
func (s State) allocated(in actors.Input, instance string) actors.Effect {
	fact := &messages.PortsAllocated{InstanceId: instance, NetworkId: in.ID}
	for _, id := range s.PortsOf(instance) {
		if p, ok := s.Ports.Get(id); ok {
			fact.Ports = append(fact.Ports, s.portView(p).Port)
		}
	}
	return tell(instance, fact)
}

func tell(instance string, m actors.Message) actors.Effect {
	return actors.Tell{To: actors.Ref{Kind: "instance", ID: instance}, Message: m}
}
