// Package image decides what an image is and who may see and change it, from
// the empty record to the tombstone. It never holds content: that is named by
// its SHA-256 and kept by a blob store; only the last image that refers to a
// content lets it be discarded.
package image

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is the image's id.
const Kind = "image"

// Ref is the grain of image id.
func Ref(id string) actors.Ref { return actors.Ref{Kind: Kind, ID: id} }

// UploadLease is how long an upload keeps others out without being prolonged.
const UploadLease = 5 * time.Minute

// Visibilities of an image.
const (
	Private   = "private"
	Public    = "public"    // seen by all; only an operator makes it so
	Shared    = "shared"    // seen by its members
	Community = "community" // usable by all, listed for nobody who does not ask
)

// State is one image; without an ID there is none, and of a deleted one only
// the ID is left. Exported fields are saved; an upload is forgotten on a move.
type State struct {
	ID, Name, ProjectID, Visibility string
	Status                          messages.ImageStatus // never SAVING: see upload
	Protected, Hidden               bool
	ContainerFormat, DiskFormat     string
	Size, Virtual                   int64 // bytes
	MinDiskGiB, MinRAMMiB           int64
	MD5, SHA512, SHA256             string
	Tags                            []string // sorted
	Properties                      map[string]string
	Members                         map[string]Member // by project
	CreatedAt, UpdatedAt            int64

	upload upload
}

// Member is a project that a shared image is shown to.
type Member struct {
	Status               string
	CreatedAt, UpdatedAt int64
}

// upload is the one that is under way.
type upload struct {
	token string
	until time.Time
}

func (u upload) live(now time.Time) bool { return u.token != "" && now.Before(u.until) }

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{Name: Kind, Step: Step, Index: index}.Kind()
}

// Step decides what a message means for an image.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.Activated, *messages.Nudged:
		return s, nil, nil
	case *messages.CreateImage:
		return create(s, in, m)
	}
	if !s.exists() {
		return s, nil, absent(in.ID)
	}
	switch m := in.Message.(type) {
	case *messages.GetImage:
		return get(s, in, m)
	case *messages.UpdateImage:
		return update(s, in, m)
	case *messages.DeleteImage:
		return remove(s, in, m)
	case *messages.SetImageActive:
		return setActive(s, in, m)
	case *messages.BeginImageUpload:
		return begin(s, in, m)
	case *messages.EndImageUpload:
		return end(s, m)
	case *messages.ImageUploaded:
		return uploaded(s, in, m)
	case *messages.AddImageMember:
		return addMember(s, in, m)
	case *messages.UpdateImageMember:
		return updateMember(s, in, m)
	case *messages.RemoveImageMember:
		return removeMember(s, in, m)
	}
	return s, nil, fmt.Errorf("an image cannot take %T: %w", in.Message, messages.Invalid)
}

func (s State) exists() bool {
	return s.ID != "" && s.Status != messages.ImageStatus_IMAGE_STATUS_DELETED
}

func create(s State, in actors.Input, m *messages.CreateImage) (State, []actors.Effect, error) {
	if s.ID != "" {
		return s, nil, fmt.Errorf("image %s exists already or has existed: %w", in.ID, messages.Conflict)
	}
	v := m.GetImage()
	if v.GetVisibility() == Public && m.Scope != "" {
		return s, nil, errPublic
	}
	s = State{
		ID: in.ID, Name: v.GetName(), ProjectID: v.GetProjectId(), Visibility: v.GetVisibility(),
		Status: messages.ImageStatus_IMAGE_STATUS_QUEUED, Protected: v.GetProtected(), Hidden: v.GetHidden(),
		ContainerFormat: v.GetContainerFormat(), DiskFormat: v.GetDiskFormat(),
		MinDiskGiB: v.GetMinDiskGib(), MinRAMMiB: v.GetMinRamMib(),
		Tags: set(v.GetTags()), Properties: maps.Clone(v.GetProperties()),
		CreatedAt: in.Now.UnixNano(), UpdatedAt: in.Now.UnixNano(),
	}
	if s.Visibility == "" {
		s.Visibility = Shared
	}
	return checked(s, in)
}

// checked accepts a new or changed image if it is within the limits.
func checked(s State, in actors.Input) (State, []actors.Effect, error) {
	if err := check(s); err != nil {
		return s, nil, err
	}
	s.UpdatedAt = in.Now.UnixNano()
	return s, answer(s, in), nil
}

func get(s State, in actors.Input, m *messages.GetImage) (State, []actors.Effect, error) {
	if !s.visible(m.Scope) {
		return s, nil, absent(in.ID)
	}
	return s, answer(s, in), nil
}

func remove(s State, in actors.Input, m *messages.DeleteImage) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	if s.Protected {
		return s, nil, fmt.Errorf("image %s is protected and cannot be deleted: %w", s.ID, messages.Denied)
	}
	var effects []actors.Effect
	if s.SHA256 != "" {
		effects = append(effects, actors.Discard{SHA256: s.SHA256})
	}
	return State{ID: s.ID, Status: messages.ImageStatus_IMAGE_STATUS_DELETED, UpdatedAt: in.Now.UnixNano()}, effects, nil
}

func setActive(s State, in actors.Input, m *messages.SetImageActive) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	from, to := messages.ImageStatus_IMAGE_STATUS_ACTIVE, messages.ImageStatus_IMAGE_STATUS_DEACTIVATED
	if m.Active {
		from, to = to, from
	}
	switch s.Status {
	case to:
		return s, answer(s, in), nil
	case from:
		s.Status = to
		return checked(s, in)
	}
	return s, nil, fmt.Errorf("image %s has no data yet: it is neither active nor deactivated: %w", s.ID, messages.Denied)
}

func answer(s State, in actors.Input) []actors.Effect {
	return []actors.Effect{actors.Reply{Message: s.view(in.Now)}}
}

func absent(id string) error {
	return fmt.Errorf("no image found with ID %s: %w", id, messages.NotFound)
}

// set is the distinct values of list, sorted.
func set(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
