package network

import (
	"fmt"
	"net/netip"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Port is one row of the ports table. It says all that its index entries say.
type Port struct {
	ID                               string
	Name                             string `json:",omitempty"`
	Description                      string `json:",omitempty"`
	ProjectID                        string
	InstanceID                       string `json:",omitempty"` // empty: not in use
	NetworkID, NetworkName, SubnetID string
	MAC                              string
	Address                          netip.Addr
	PrefixLength                     int32
	Down                             bool `json:",omitempty"`
	Keep                             bool `json:",omitempty"` // made by a user, outlives the instance
	CreatedAt, UpdatedAt             int64

	// Lean says that the port follows from its instance: its id does, and begins with
	// the same moment. Then it has no index entry by instance, nor its instance a row.
	// Ports that an older node has made have both.
	Lean bool `json:",omitempty"`
}

// macOf is unique on the network, as the address is: subnets do not overlap.
func macOf(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("fa:16:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}

// add gives p an address and a place in the table.
func (s State) add(in actors.Input, p Port, fixedIP, subnetID string) (State, Port, error) {
	if s.Ports.Len() >= MaxPorts {
		return s, p, fmt.Errorf("network %s has its %d ports: %w", s.ID, MaxPorts, messages.Exhausted)
	}
	s, i, offset, err := s.take(fixedIP, subnetID)
	if err != nil {
		return s, p, err
	}
	sub := s.Subnets[i]
	p.NetworkID, p.NetworkName, p.SubnetID = s.ID, s.Name, sub.ID
	p.Address, p.PrefixLength = sub.addr(offset), int32(sub.CIDR.Bits())
	p.MAC = macOf(p.Address)
	p.CreatedAt, p.UpdatedAt = in.Now.UnixNano(), in.Now.UnixNano()
	s.Ports = s.Ports.Set(p.ID, p)
	return s, p, nil
}

// drop removes p and frees its address.
func (s State) drop(p Port) State {
	s.Ports = s.Ports.Delete(p.ID)
	i, err := s.subnet(p.SubnetID)
	if err != nil {
		return s // cannot be: a subnet with ports is not deleted
	}
	return s.mark(i, toNumber(p.Address)-toNumber(s.Subnets[i].CIDR.Addr()), false)
}

func createPort(s State, in actors.Input, m *messages.CreatePort) (State, []actors.Effect, error) {
	if !s.visible(m.Scope) {
		return s, nil, absent(s.ID)
	}
	if p, has := s.Ports.Get(m.Id); has {
		if p.ProjectID == m.ProjectId && p.Keep {
			return s, s.answerPort(p), nil // asked again
		}
		return s, nil, fmt.Errorf("port %s exists already: %w", m.Id, messages.Conflict)
	}
	if m.Id == "" {
		return s, nil, fmt.Errorf("a port needs an id: %w", messages.Invalid)
	}
	if err := checkNames(m.Id, m.Name, m.Description, m.ProjectId); err != nil {
		return s, nil, err
	}
	after, p, err := s.add(in, Port{
		ID: m.Id, Name: m.Name, Description: m.Description, ProjectID: m.ProjectId, Down: m.AdminStateDown, Keep: true,
	}, m.FixedIp, m.SubnetId)
	if err != nil {
		return s, nil, err
	}
	return after, after.answerPort(p), nil
}

func getPort(s State, m *messages.GetPort) (State, []actors.Effect, error) {
	p, err := s.port(m.PortId, m.Scope)
	if err != nil {
		return s, nil, err
	}
	return s, s.answerPort(p), nil
}

func updatePort(s State, in actors.Input, m *messages.UpdatePort) (State, []actors.Effect, error) {
	p, err := s.port(m.PortId, m.Scope)
	if err != nil {
		return s, nil, err
	}
	assign(&p.Name, m.Name)
	assign(&p.Description, m.Description)
	assign(&p.Down, m.AdminStateDown)
	if err := checkNames(p.Name, p.Description); err != nil {
		return s, nil, err
	}
	p.UpdatedAt = in.Now.UnixNano()
	s.Ports = s.Ports.Set(p.ID, p)
	return s, s.answerPort(p), nil
}

func deletePort(s State, m *messages.DeletePort) (State, []actors.Effect, error) {
	p, err := s.port(m.PortId, m.Scope)
	if err != nil {
		return s, nil, err
	}
	if p.InstanceID != "" {
		return s, nil, fmt.Errorf("port %s is in use by instance %s: %w", p.ID, p.InstanceID, messages.Conflict)
	}
	return s.drop(p), nil, nil
}

// port is the one with the id, if scope may see it: its own, or the one of
// whoever owns the network.
func (s State) port(id, scope string) (Port, error) {
	p, ok := s.Ports.Get(id)
	if !ok || (scope != "" && scope != p.ProjectID && scope != s.ProjectID) {
		return Port{}, fmt.Errorf("port %.80s could not be found: %w", id, messages.NotFound)
	}
	return p, nil
}

func (s State) answerPort(p Port) []actors.Effect {
	return []actors.Effect{actors.Reply{Message: s.portView(p)}}
}
