package instance

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of a CreateInstance.
const (
	MaxNameChars     = 255
	MaxUserDataBytes = 65535
	MaxMetadataItems = 128
	MaxMetadataChars = 255
	MaxTags          = 50
	MaxNetworks      = 16
)

// admitted is the key under which the asker of a create waits for the quota.
const admitted = "admitted"

// create commits the instance as BUILD and asks the project. Its asker hears
// once the project has answered, so that an exceeded quota is refused at the
// door. Asked again with the same id, it gives the same answer.
func create(s State, in actors.Input, m *messages.CreateInstance) (State, []actors.Effect, error) {
	switch {
	case s.View == nil:
	case m.ProjectId != s.View.ProjectId:
		return s, nil, fmt.Errorf("instance id %s is taken: %w", in.ID, messages.Conflict)
	case s.Hidden:
		return s, nil, fmt.Errorf("%s: %w", s.Failed.GetMessage(), messages.Exhausted)
	case s.View.TaskState == admitting:
		return s, append(outstanding(s), actors.Defer{Key: admitted}), nil
	default:
		return s, []actors.Effect{actors.Reply{Message: s.View}}, nil
	}
	if err := valid(in.ID, m); err != nil {
		return s, nil, err
	}
	s = State{
		View: newView(in, m), Networks: groupByNetwork(m.Networks), QuotaHeld: true, Attempt: 1,
		ZoneAsked: m.AvailabilityZone, HostAsked: m.Host, AdminPassword: m.AdminPassword,
		History: s.History, Papers: s.Papers,
	}
	if len(m.UserData) > 0 {
		s.Papers = s.Papers.Set(userData, m.UserData)
	}
	s = s.begin(in.Now, messages.Action_ACTION_CREATE, m).event(in.Now, "quota")
	return s, append(outstanding(s), actors.Defer{Key: admitted}), nil
}

// newView is the view as it begins. It shares what m points to: neither is ever
// changed.
func newView(in actors.Input, m *messages.CreateInstance) *messages.InstanceView {
	now := in.Now.UnixNano()
	return &messages.InstanceView{
		Id: m.Id, Name: m.Name, ProjectId: m.ProjectId, UserId: m.UserId,
		VmState: building, TaskState: admitting,
		Flavor: m.Flavor, Image: m.Image, KeyName: m.KeyName, PublicKey: m.PublicKey, Metadata: m.Metadata, Tags: m.Tags,
		AvailabilityZone: m.AvailabilityZone, ConfigDrive: m.ConfigDrive, Description: m.Description,
		Hostname: m.Hostname, SecurityGroups: m.SecurityGroups, ReservationId: m.ReservationId,
		DiskConfig: m.DiskConfig, CreatedAt: now, UpdatedAt: now,
		AccessIpv4: m.AccessIpv4, AccessIpv6: m.AccessIpv6, ZoneAsked: m.AvailabilityZone,
		GroupId: m.GroupId,
	}
}

// groupByNetwork makes one allocation of each network's requests.
func groupByNetwork(requests []*messages.NetworkRequest) []Network {
	var nets []Network
	for _, r := range requests {
		i := slices.IndexFunc(nets, func(n Network) bool { return n.ID == r.NetworkId })
		if i < 0 {
			i = len(nets)
			nets = append(nets, Network{ID: r.NetworkId})
		}
		nets[i].Requests = append(nets[i].Requests, r)
	}
	return nets
}

func valid(id string, m *messages.CreateInstance) error {
	for _, rule := range []struct {
		broken bool
		what   string
	}{
		{id == "" || m.Id != id, "the instance's id must be its identity"},
		{m.Name == "" || utf8.RuneCountInString(m.Name) > MaxNameChars, fmt.Sprintf("the name must have 1 to %d characters", MaxNameChars)},
		{m.ProjectId == "", "an instance needs a project"},
		{m.Flavor.GetVcpus() < 1 || m.Flavor.GetRamMib() < 1, "an instance needs a flavor with a CPU and memory"},
		{m.Image.GetSha256() == "", "an instance needs an image with content"},
		{len(m.UserData) > MaxUserDataBytes, fmt.Sprintf("user data may have %d bytes", MaxUserDataBytes)},
		{len(m.Networks) > MaxNetworks, fmt.Sprintf("an instance may have %d networks", MaxNetworks)},
		{slices.ContainsFunc(m.Networks, func(n *messages.NetworkRequest) bool { return n.NetworkId == "" }), "a network request needs a network"},
		{!utf8Valid(m), "text must be valid UTF-8"},
	} {
		if rule.broken {
			return fmt.Errorf("%s: %w", rule.what, messages.Invalid)
		}
	}
	if err := validTags(m.Tags); err != nil {
		return err
	}
	if err := validMetadata(m.Metadata); err != nil {
		return err
	}
	_, err := machine.Parse(m.Metadata, m.Tags)
	return err
}

// utf8Valid: what cannot be encoded must not get into a state.
func utf8Valid(m *messages.CreateInstance) bool {
	_, err := proto.Marshal(m)
	return err == nil
}

func validTags(tags []string) error {
	if len(tags) > MaxTags {
		return fmt.Errorf("an instance may have %d tags: %w", MaxTags, messages.Invalid)
	}
	for _, t := range tags {
		if t == "" || !utf8.ValidString(t) || utf8.RuneCountInString(t) > 60 {
			return fmt.Errorf("a tag must have 1 to 60 characters: %w", messages.Invalid)
		}
	}
	return nil
}

func validMetadata(md map[string]string) error {
	if len(md) > MaxMetadataItems {
		return fmt.Errorf("maximum number of metadata items exceeds %d: %w", MaxMetadataItems, messages.Exhausted)
	}
	for k, v := range md {
		if k == "" || utf8.RuneCountInString(k) > MaxMetadataChars || utf8.RuneCountInString(v) > MaxMetadataChars ||
			!utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("a metadata key must have 1 to %d characters, a value at most as many: %w", MaxMetadataChars, messages.Invalid)
		}
	}
	return nil
}
