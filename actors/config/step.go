package config

import (
	"fmt"
	"strconv"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Step decides what a message means for a key.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.Activated, *messages.Nudged, *messages.Woken:
		return s.forgetOld(in.Now).show(), nil, nil
	case *messages.PublishConfig:
		return publish(s, in, m)
	case *messages.RemoveConfig:
		return remove(s, in, m)
	case *messages.UpdateConfigLabels:
		return updateLabels(s, in, m)
	case *messages.GetConfig:
		content, err := get(s, in.ID, m)
		return answered(s, content, err)
	case *messages.GetConfigDigest:
		return s, []actors.Effect{actors.Reply{Message: s.digestFor(m.GetProject())}}, nil
	case *messages.GetConfigDetail:
		all, err := detail(s, in.ID)
		return answered(s, all, err)
	case *messages.GetConfigChange:
		if m.Number < s.First || m.Number > s.Last || m.Number < 1 {
			return s, nil, fmt.Errorf("the history of %.500s has no change %d: %w", in.ID, m.Number, messages.NotFound)
		}
		return s, []actors.Effect{actors.ReadCold{
			Table: historyTable, Row: strconv.FormatInt(m.Number, 10), As: &messages.ConfigChange{},
		}}, nil
	}
	return s, nil, fmt.Errorf("a config cannot take %T: %w", in.Message, messages.Invalid)
}

func answered(s State, m actors.Message, err error) (State, []actors.Effect, error) {
	if err != nil {
		return s, nil, err
	}
	return s, []actors.Effect{actors.Reply{Message: m}}, nil
}

func absent(id string) error {
	return fmt.Errorf("there is no config %.500s: %w", id, messages.NotFound)
}

// next is s one version later.
func (s State) next(now time.Time) State {
	s.Version = max(s.Version+1, now.UnixMilli())
	return s
}

// published is what is answered to a change of p; nil: it is gone.
func (s State) published(p *Published, now time.Time) []actors.Effect {
	v := &messages.ConfigPublished{Version: s.Version, ModifiedAt: now.UnixNano()}
	if p != nil {
		v.Md5, v.ModifiedAt = p.MD5, p.ModifiedAt
	}
	return []actors.Effect{actors.Reply{Message: v}}
}

// get is what a client sees, or what it asks for by name.
func get(s State, id string, m *messages.GetConfig) (*messages.ConfigContent, error) {
	v := s.views()
	at, found := -1, s.Formal != nil // which gray version; -1: the formal content
	switch {
	case m.Formal:
	case m.GrayName != "":
		at = s.gray(m.GrayName)
		found = at >= 0
	case m.Tag != "":
		at = s.tagged(m.Tag)
		found = at >= 0
	default:
		for i, g := range s.Grays {
			if Matches(g.Rule, Client{m.ClientIp, m.ClientLabels}) {
				at, found = i, true
				break
			}
		}
	}
	switch {
	case !found:
		return nil, absent(id)
	case at >= 0:
		return v.grays[at], nil
	}
	return v.formal, nil
}

// gray is the place of a gray version; -1: there is none.
func (s State) gray(name string) int {
	for i, g := range s.Grays {
		if g.Rule.Name == name {
			return i
		}
	}
	return -1
}

// tagged is the place of a tag's gray version.
func (s State) tagged(tag string) int {
	for i, g := range s.Grays {
		if g.Rule.Type == TagType && g.Rule.Expression == tag {
			return i
		}
	}
	return -1
}

func detail(s State, id string) (*messages.Config, error) {
	v := s.views()
	if s.Formal == nil && len(s.Grays) == 0 {
		return nil, absent(id)
	}
	d := &messages.Config{Entry: v.entry, Formal: s.Formal != nil, Use: s.Labels.Use, Effect: s.Labels.Effect, Schema: s.Labels.Schema}
	if s.Formal != nil {
		d.Content, d.EncryptedDataKey = v.formal.Content, v.formal.EncryptedDataKey
	}
	room := MaxDetailBytes - len(d.Content)
	for i, g := range v.grays {
		if room -= len(g.Content); room < 0 {
			g = s.Grays[i].view("", g.Type, g.Gray, g.Version)
		}
		d.Grays = append(d.Grays, g)
	}
	return d, nil
}
