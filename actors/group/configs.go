package group

import (
	"maps"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/messages"
)

// heardOfConfig begins a roll if a config that the members read has a new content.
// One that is removed is none: there is nothing new to read.
func (s State) heardOfConfig(now time.Time, id string, v *messages.ConfigDigest) State {
	t, _ := s.Templates.Get(revisionKey(s.Target))
	was, known := t.Read[id]
	if v == nil || !s.Policy.RollOnConfig || s.Deleting || !slices.Contains(t.Configs, id) || known && v.ContentVersion <= was.Version {
		return s
	}
	is := Content{v.Md5, v.ContentVersion}
	news := known && is.MD5 != "" && is.MD5 != was.MD5
	if known && is.MD5 == "" {
		is.MD5 = was.MD5 // if that comes back, nobody has missed anything
	}
	t.Read = maps.Clone(t.Read)
	if t.Read == nil {
		t.Read = map[string]Content{}
	}
	t.Read[id] = is
	if !news {
		s.Templates = s.Templates.Set(revisionKey(s.Target), t)
		return s
	}
	_, group, dataID, _ := config.Parse(id)
	return s.decided(now, "config %s of group %s has a new content", dataID, group).revise(now, t)
}

// reads is t with what another revision has heard of the configs that both read.
func (t Template) reads(other Template) Template {
	read := map[string]Content{}
	for _, id := range t.Configs {
		if is, ok := other.Read[id]; ok {
			read[id] = is
		}
	}
	if t.Read = read; len(read) == 0 {
		t.Read = nil
	}
	return t
}
