package membership

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// maxRecordBytes keeps one record well below what Consul takes (512 KiB). It is
// about 15,000 hosts on one node.
const maxRecordBytes = 256 << 10

// toMessage is a member on the wire and in the table.
func toMessage(m view.Member) *messages.Member {
	return &messages.Member{
		Id: m.ID, Name: m.Name, Address: m.Address, Api: m.API, Roles: uint32(m.Roles), Hosts: m.Hosts,
		Epoch: m.Epoch, Leaving: m.Leaving, Version: m.Version, Protocol: m.Protocol,
		MinProtocol: m.MinProtocol, StartedUnixMs: m.Started.UnixMilli(),
	}
}

func fromMessage(m *messages.Member) view.Member {
	return view.Member{
		ID: m.GetId(), Name: m.GetName(), Address: m.GetAddress(), API: m.GetApi(),
		Roles: view.Role(m.GetRoles()) & view.AllRoles, Hosts: m.GetHosts(),
		Epoch: m.GetEpoch(), Leaving: m.GetLeaving(), Version: m.GetVersion(), Protocol: m.GetProtocol(),
		MinProtocol: m.GetMinProtocol(), Started: time.UnixMilli(m.GetStartedUnixMs()),
	}
}

// encodeRecord is what stands in the table for a member.
func encodeRecord(m view.Member) ([]byte, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(toMessage(m))
	if err != nil {
		return nil, fmt.Errorf("the record of member %s: %w: %w", m.Name, err, messages.Internal)
	}
	if len(raw) > maxRecordBytes {
		return nil, fmt.Errorf("the record of member %s has %d bytes, at most %d are possible; it drives %d hosts: %w",
			m.Name, len(raw), maxRecordBytes, len(m.Hosts), messages.Exhausted)
	}
	return raw, nil
}

// decodeRecord reads what a member, or somebody's hands, wrote under a name.
func decodeRecord(name string, raw []byte) (view.Member, error) {
	var m messages.Member
	if len(raw) > maxRecordBytes {
		return view.Member{}, fmt.Errorf("%d bytes are too many: %w", len(raw), messages.Invalid)
	}
	if err := proto.Unmarshal(raw, &m); err != nil {
		return view.Member{}, fmt.Errorf("not a member's record: %w: %w", err, messages.Invalid)
	}
	member := fromMessage(&m)
	if member.Name != name {
		return view.Member{}, fmt.Errorf("it is %q's record: %w", member.Name, messages.Invalid)
	}
	return member, member.Valid()
}
