package instance

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/messages"
)

// MaxDescriptionChars limits the description.
const MaxDescriptionChars = 255

// update changes what people read: name, description, metadata, tags. What they ask
// of the registry counts at once.
func update(s State, in actors.Input, m *messages.UpdateInstance) (State, []actors.Effect, error) {
	if !s.visible(m.Scope) {
		return s, nil, missing(in.ID)
	}
	if n := m.Name; n != nil && (*n == "" || !utf8.ValidString(*n) || utf8.RuneCountInString(*n) > MaxNameChars) {
		return s, nil, fmt.Errorf("the name must have 1 to %d characters: %w", MaxNameChars, messages.Invalid)
	}
	if d := m.Description; d != nil && (!utf8.ValidString(*d) || utf8.RuneCountInString(*d) > MaxDescriptionChars) {
		return s, nil, fmt.Errorf("the description may have %d characters: %w", MaxDescriptionChars, messages.Invalid)
	}
	if !utf8.ValidString(m.GetAccessIpv4() + m.GetAccessIpv6() + m.GetHostname() + m.GetDiskConfig()) {
		return s, nil, fmt.Errorf("text must be valid UTF-8: %w", messages.Invalid)
	}
	md, err := newMetadata(s.View.Metadata, m)
	if err != nil {
		return s, nil, err
	}
	tags, err := newTags(s.View.Tags, m)
	if err != nil {
		return s, nil, err
	}
	if _, err := machine.Parse(md, tags); err != nil {
		if _, before := machine.Parse(s.View.Metadata, s.View.Tags); before == nil {
			return s, nil, err
		}
	}
	s = s.edit(in.Now, func(v *messages.InstanceView) {
		if m.Name != nil {
			v.Name = *m.Name
		}
		if m.Description != nil {
			v.Description = *m.Description
		}
		v.Metadata, v.Tags = md, tags
		set(&v.AccessIpv4, m.AccessIpv4)
		set(&v.AccessIpv6, m.AccessIpv6)
		set(&v.Hostname, m.Hostname)
		set(&v.DiskConfig, m.DiskConfig)
	})
	return s, []actors.Effect{actors.Reply{Message: s.View}}, nil
}

func newMetadata(old map[string]string, m *messages.UpdateInstance) (map[string]string, error) {
	md := map[string]string{}
	if !m.ReplaceMetadata {
		maps.Copy(md, old)
	}
	for _, k := range m.RemoveMetadata {
		if _, ok := md[k]; !ok {
			return nil, fmt.Errorf("metadata item was not found: %w", messages.NotFound)
		}
		delete(md, k)
	}
	maps.Copy(md, m.Metadata)
	return md, validMetadata(md)
}

func newTags(old []string, m *messages.UpdateInstance) ([]string, error) {
	var tags []string
	if !m.ReplaceTags {
		tags = slices.Clone(old)
	}
	for _, t := range m.RemoveTags {
		i := slices.Index(tags, t)
		if i < 0 {
			return nil, fmt.Errorf("instance has no tag '%s': %w", t, messages.NotFound)
		}
		tags = slices.Delete(tags, i, i+1)
	}
	for _, t := range m.Tags {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	slices.Sort(tags)
	return tags, validTags(tags)
}

// set changes to what was given, if anything was.
func set(field, given *string) {
	if given != nil {
		*field = *given
	}
}
