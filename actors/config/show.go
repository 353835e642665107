package config

import (
	"slices"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// shown is what a state answers and lists, made once for every change. Nobody
// changes it, or what it points to.
type shown struct {
	entry   *messages.ConfigEntry
	entries []actors.Entry // the first is entry's; none without a formal content
	formal  *messages.ConfigContent
	grays   []*messages.ConfigContent
	digest  *messages.ConfigDigest
}

// views is what s answers.
func (s State) views() *shown {
	if s.shown == nil {
		s = s.show()
	}
	return s.shown
}

// digestFor is the digest as a project's servers may see it: that of a config which
// they may read, else of none. "": of whoever may read anything.
func (s State) digestFor(project string) *messages.ConfigDigest {
	if ns, _, _, _ := Parse(s.ID); project == "" || ns == project || service.TagsName(s.Labels.Tags, project) {
		return s.views().digest
	}
	return &messages.ConfigDigest{}
}

// show makes s answer what it is now. What did not change is taken over.
func (s State) show() State {
	was := s.shown
	v := &shown{digest: &messages.ConfigDigest{ContentVersion: s.ContentVersion}}
	ns, group, dataID, _ := Parse(s.ID)
	v.entry = &messages.ConfigEntry{Namespace: ns, Group: group, DataId: dataID}
	for _, g := range s.Grays {
		content, _ := s.Contents.Get(grayRow(g.Rule.Name))
		v.grays = append(v.grays, g.Published.view(string(content), g.Type, g.Rule, s.Version))
		v.digest.Grays = append(v.digest.Grays, &messages.GrayDigest{Rule: g.Rule, Md5: g.MD5})
		v.entry.Grays = append(v.entry.Grays, g.Rule.Name)
	}
	if f := s.Formal; f != nil {
		content, _ := s.Contents.Get(formalRow)
		v.formal = f.view(string(content), s.Labels.Type, nil, s.Version)
		v.digest.Md5 = f.MD5
		e, l := v.entry, s.Labels
		e.Id = Number(ns, group, dataID)
		e.Md5, e.Size, e.Type, e.Tags, e.App, e.Description = f.MD5, f.Size, l.Type, l.Tags, l.App, l.Description
		e.CreatedAt, e.ModifiedAt, e.CreatedBy, e.CreatedFrom = f.CreatedAt, f.ModifiedAt, f.CreatedBy, f.From
		v.entries = entries(was, v.entry)
	}
	if was != nil && was.digest.ContentVersion == s.ContentVersion {
		v.digest = was.digest // the same pointer: nobody who watches has to compare
	}
	s.shown = v
	return s
}

func (p Published) view(content, kind string, rule *messages.GrayRule, version int64) *messages.ConfigContent {
	return &messages.ConfigContent{Content: content, Md5: p.MD5, Type: kind, EncryptedDataKey: p.DataKey,
		ModifiedAt: p.ModifiedAt, Gray: rule, Version: version}
}

// entries lists the index entries of a key; those that only its name and tags
// decide are taken from what was listed before.
func entries(was *shown, e *messages.ConfigEntry) []actors.Entry {
	if was != nil && len(was.entries) > 0 && slices.Equal(was.entry.Tags, e.Tags) {
		list := slices.Clone(was.entries)
		list[0].View = e
		return list
	}
	ns, group, dataID := actors.Escape(e.Namespace), actors.Escape(e.Group), actors.Escape(e.DataId)
	list := []actors.Entry{
		{Key: EntryKey(e.Namespace, e.Group, e.DataId), View: e},
		{Key: ByDataPrefix + ns + "/" + dataID + "/" + group},
		{Key: NumberKey(e.Id), Value: []byte(ID(e.Namespace, e.Group, e.DataId))},
	}
	for _, tag := range e.Tags {
		list = append(list, actors.Entry{Key: ByTagPrefix + ns + "/" + actors.Escape(tag) + "/" + group + "/" + dataID})
	}
	return list
}

func index(s State) []actors.Entry { return s.views().entries }
