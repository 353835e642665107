package image

import (
	"fmt"
	"maps"
	"slices"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func update(s State, in actors.Input, m *messages.UpdateImage) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	if m.GetVisibility() == Public && s.Visibility != Public && m.Scope != "" {
		return s, nil, errPublic
	}
	s, err := setFormats(s, in, m)
	if err != nil {
		return s, nil, err
	}
	assign(&s.Name, m.Name)
	assign(&s.Visibility, m.Visibility)
	assign(&s.Protected, m.Protected)
	assign(&s.Hidden, m.Hidden)
	assign(&s.MinDiskGiB, m.MinDiskGib)
	assign(&s.MinRAMMiB, m.MinRamMib)
	s.Properties = setProperties(s.Properties, m)
	if s.Tags, err = setTags(s.Tags, m); err != nil {
		return s, nil, err
	}
	return checked(s, in)
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// setFormats changes what the content is said to be, while there is none.
func setFormats(s State, in actors.Input, m *messages.UpdateImage) (State, error) {
	changes := (m.DiskFormat != nil && *m.DiskFormat != s.DiskFormat) ||
		(m.ContainerFormat != nil && *m.ContainerFormat != s.ContainerFormat)
	if changes && (s.Status != messages.ImageStatus_IMAGE_STATUS_QUEUED || s.upload.live(in.Now)) {
		return s, fmt.Errorf("the formats of an image with data cannot be changed: %w", messages.Denied)
	}
	assign(&s.DiskFormat, m.DiskFormat)
	assign(&s.ContainerFormat, m.ContainerFormat)
	return s, nil
}

func setProperties(p map[string]string, m *messages.UpdateImage) map[string]string {
	if len(m.SetProperties)+len(m.RemoveProperties) == 0 {
		return p
	}
	p = maps.Clone(p)
	for _, name := range m.RemoveProperties {
		delete(p, name)
	}
	if p == nil {
		p = map[string]string{}
	}
	maps.Copy(p, m.SetProperties)
	return p
}

func setTags(tags []string, m *messages.UpdateImage) ([]string, error) {
	if m.ReplaceTags {
		tags = nil
	}
	tags = slices.Clone(tags)
	for _, tag := range m.RemoveTags {
		i := slices.Index(tags, tag)
		if i < 0 {
			return nil, fmt.Errorf("the image has no tag %.80q: %w", tag, messages.NotFound)
		}
		tags = slices.Delete(tags, i, i+1)
	}
	return set(append(tags, m.AddTags...)), nil
}
