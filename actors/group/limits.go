package group

import (
	"fmt"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of one group.
const (
	MaxMembers   = 100 // desired and surge together
	MaxNameChars = 200 // a number follows it in the names of members
	MaxDecisions = 32  // kept
	MaxPatience  = 24 * time.Hour
	MaxMarkBytes = 256
	maxHostname  = 63
)

// What holds where nothing is said.
const (
	DefaultHostGrace = time.Minute
	DefaultUnhealthy = time.Minute
	DefaultStart     = 10 * time.Minute
)

// A member that could not be made is tried again after firstRetry, then after twice
// as long each time, up to lastRetry.
const (
	firstRetry = 2 * time.Second
	lastRetry  = 5 * time.Minute
)

func newPolicy(p *messages.GroupPolicy) Policy {
	n := Policy{
		p.GetMinHealthy(), p.GetMaxUnavailable(), p.GetMaxSurge(),
		patience(p.GetHostGraceMs()), patience(p.GetUnhealthyMs()), patience(p.GetStartMs()), p.GetRollOnConfig(),
	}
	if n.MaxUnavailable == 0 && n.MaxSurge == 0 {
		n.MaxSurge = 1
	}
	for _, d := range []struct {
		at   *time.Duration
		that time.Duration
	}{{&n.HostGrace, DefaultHostGrace}, {&n.Unhealthy, DefaultUnhealthy}, {&n.Start, DefaultStart}} {
		if *d.at == 0 {
			*d.at = d.that
		}
	}
	return n
}

// patience is a time given in milliseconds. What is out of bounds stays so.
func patience(ms int64) time.Duration {
	const most = int64(MaxPatience / time.Millisecond)
	return time.Duration(min(max(ms, -1), most+1)) * time.Millisecond
}

// check refuses a new or changed group that could not be what it is asked to be.
func (s State) check() error {
	p := s.Policy
	for _, rule := range []struct {
		broken bool
		what   string
	}{
		{s.Name == "" || !utf8.ValidString(s.Name) || utf8.RuneCountInString(s.Name) > MaxNameChars, fmt.Sprintf("the name must have 1 to %d characters", MaxNameChars)},
		{s.ProjectID == "", "a group needs a project"},
		{s.Desired < 0 || p.MaxSurge < 0 || int64(s.Desired)+int64(p.MaxSurge) > MaxMembers, fmt.Sprintf("a group has 0 to %d members, those above the desired number during a roll included", MaxMembers)},
		{p.MaxUnavailable < 0, "max_unavailable cannot be negative"},
		{p.MinHealthy < 0 || p.MinHealthy > s.Desired, fmt.Sprintf("min_healthy is from 0 to the desired number, %d", s.Desired)},
		{s.Desired > 0 && p.MaxSurge == 0 && (p.MaxUnavailable == 0 || p.MinHealthy == s.Desired), "without max_surge a roll needs room below: max_unavailable, and min_healthy below the desired number"},
		{!bearable(p.HostGrace) || !bearable(p.Unhealthy) || !bearable(p.Start), fmt.Sprintf("times are from 1 ms to %v", MaxPatience)},
	} {
		if rule.broken {
			return fmt.Errorf("%s: %w", rule.what, messages.Invalid)
		}
	}
	return nil
}

func bearable(d time.Duration) bool { return d > 0 && d <= MaxPatience }

// newTemplate judges what all members are made of.
func newTemplate(c *messages.CreateInstance, mark string) (Template, error) {
	switch {
	case c.GetFlavor() == nil || c.GetImage().GetSha256() == "":
		return Template{}, fmt.Errorf("a template needs a flavor and an image: %w", messages.Invalid)
	case len(mark) > MaxMarkBytes || !utf8.ValidString(mark):
		return Template{}, fmt.Errorf("a mark has at most %d bytes: %w", MaxMarkBytes, messages.Invalid)
	}
	for _, n := range c.GetNetworks() {
		if n.GetPortId() != "" || n.GetFixedIp() != "" {
			return Template{}, fmt.Errorf("members share no port and no fixed address: %w", messages.Invalid)
		}
	}
	wishes, err := machine.Parse(c.GetMetadata(), c.GetTags())
	if err != nil {
		return Template{}, err
	}
	c = proto.CloneOf(c)
	c.Id, c.Name, c.ProjectId = "id", "name", "project"
	if err := instance.Check(c); err != nil {
		return Template{}, err
	}
	c.Id, c.Name, c.ProjectId, c.UserId, c.RequestId, c.GroupId = "", "", "", "", "", ""
	t := Template{Create: c, Mark: mark}
	for _, service := range wishes.Services {
		t.Services = append(t.Services, service.ID)
	}
	for _, c := range wishes.Configs {
		t.Configs = append(t.Configs, config.ID(c.Namespace, c.Group, c.DataID))
	}
	return t, nil
}
