package troupe

import (
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// groupView is a scaling group as it is shown. Times are RFC 3339, durations in
// seconds; template, members and decisions are not in lists.
type groupView struct {
	ID             string         `json:"id"`
	Name           string         `json:"name"`
	ProjectID      string         `json:"project_id"`
	UserID         string         `json:"user_id"`
	Status         string         `json:"status"`
	Reason         string         `json:"reason"`
	Desired        int32          `json:"desired"`
	Healthy        int32          `json:"healthy"`
	Lost           int32          `json:"lost"`
	MinHealthy     int32          `json:"min_healthy"`
	MaxUnavailable int32          `json:"max_unavailable"`
	MaxSurge       int32          `json:"max_surge"`
	HostGrace      float64        `json:"host_grace"`
	Unhealthy      float64        `json:"unhealthy_after"`
	Start          float64        `json:"start_within"`
	RollOnConfig   bool           `json:"roll_on_config"`
	Revision       int64          `json:"revision"`
	Good           int64          `json:"good_revision"`
	Previous       int64          `json:"previous_revision"`
	Created        time.Time      `json:"created_at"`
	Updated        time.Time      `json:"updated_at"`
	Template       *groupTemplate `json:"template,omitempty"`
	Members        []groupMember  `json:"members,omitempty"`
	Decisions      []decision     `json:"decisions,omitempty"`
}

type groupTemplate struct {
	Flavor      string            `json:"flavor"`
	Image       string            `json:"image"`
	ImageName   string            `json:"image_name"`
	Networks    []string          `json:"networks"`
	KeyName     string            `json:"key_name"`
	Metadata    map[string]string `json:"metadata"`
	Tags        []string          `json:"tags"`
	Zone        string            `json:"availability_zone"`
	ConfigDrive bool              `json:"config_drive"`
	Description string            `json:"description"`
}

type groupMember struct {
	Server    string    `json:"server_id"`
	Name      string    `json:"name"`
	Revision  int64     `json:"revision"`
	State     string    `json:"state"`
	Reason    string    `json:"reason"`
	Since     time.Time `json:"since"`
	VMState   string    `json:"vm_state"`
	Addresses []string  `json:"addresses"`
}

type decision struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

func newGroupView(v *messages.GroupView) groupView {
	p := v.Policy
	g := groupView{
		ID: v.Id, Name: v.Name, ProjectID: v.ProjectId, UserID: v.UserId, Status: v.Status, Reason: v.Reason, Desired: v.Desired,
		Healthy: v.Healthy, Lost: v.Lost, RollOnConfig: p.GetRollOnConfig(), MinHealthy: p.GetMinHealthy(), MaxUnavailable: p.GetMaxUnavailable(), MaxSurge: p.GetMaxSurge(),
		HostGrace: seconds(p.GetHostGraceMs()), Unhealthy: seconds(p.GetUnhealthyMs()), Start: seconds(p.GetStartMs()),
		Revision: v.Revision, Good: v.GoodRevision, Previous: v.PreviousRevision, Created: at(v.CreatedAt), Updated: at(v.UpdatedAt),
	}
	if t := v.Template; t != nil {
		g.Template = &groupTemplate{
			Flavor: t.Flavor.GetId(), Image: t.Image.GetId(), ImageName: t.Image.GetName(), Networks: []string{}, KeyName: t.KeyName,
			Metadata: t.Metadata, Tags: t.Tags, Zone: t.AvailabilityZone, ConfigDrive: t.ConfigDrive, Description: t.Description,
		}
		for _, n := range t.Networks {
			g.Template.Networks = append(g.Template.Networks, n.NetworkId)
		}
	}
	for _, m := range v.Members {
		g.Members = append(g.Members, groupMember{
			Server: m.InstanceId, Name: m.Name, Revision: m.Revision, State: m.State, Reason: m.Reason, Since: at(m.Since),
			VMState: strings.ToLower(strings.TrimPrefix(m.VmState.String(), "VM_STATE_")), Addresses: m.Addresses,
		})
	}
	for _, d := range v.Decisions {
		g.Decisions = append(g.Decisions, decision{at(d.At), d.Text})
	}
	return g
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }
