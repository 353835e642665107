package troupe

import (
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/gateway/troupe/shape"
	"github.com/troupe-cloud/troupe/messages"
)

func newGroupView(v *messages.GroupView) shape.Group {
	p := v.Policy
	g := shape.Group{
		ID: v.Id, Name: v.Name, ProjectID: v.ProjectId, UserID: v.UserId, Status: v.Status, Reason: v.Reason, Desired: v.Desired,
		Healthy: v.Healthy, Lost: v.Lost, RollOnConfig: p.GetRollOnConfig(), MinHealthy: p.GetMinHealthy(), MaxUnavailable: p.GetMaxUnavailable(), MaxSurge: p.GetMaxSurge(),
		HostGrace: seconds(p.GetHostGraceMs()), Unhealthy: seconds(p.GetUnhealthyMs()), Start: seconds(p.GetStartMs()),
		Revision: v.Revision, Good: v.GoodRevision, Previous: v.PreviousRevision, Created: at(v.CreatedAt), Updated: at(v.UpdatedAt),
	}
	if t := v.Template; t != nil {
		g.Template = &shape.GroupTemplate{
			Flavor: t.Flavor.GetId(), Image: t.Image.GetId(), ImageName: t.Image.GetName(), Networks: []string{}, KeyName: t.KeyName,
			Metadata: t.Metadata, Tags: t.Tags, Zone: t.AvailabilityZone, ConfigDrive: t.ConfigDrive, Description: t.Description,
		}
		for _, n := range t.Networks {
			g.Template.Networks = append(g.Template.Networks, n.NetworkId)
		}
	}
	for _, m := range v.Members {
		g.Members = append(g.Members, shape.GroupMember{
			Server: m.InstanceId, Name: m.Name, Revision: m.Revision, State: m.State, Reason: m.Reason, Since: at(m.Since),
			VMState: strings.ToLower(strings.TrimPrefix(m.VmState.String(), "VM_STATE_")), Addresses: m.Addresses,
		})
	}
	for _, d := range v.Decisions {
		g.Decisions = append(g.Decisions, shape.GroupDecision{At: at(d.At), Text: d.Text})
	}
	return g
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }
