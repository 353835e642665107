package image

import (
	"fmt"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// begin lets one upload in at a time. Nothing of it is saved: a crash, or a
// gateway that falls silent, leaves the image queued.
func begin(s State, in actors.Input, m *messages.BeginImageUpload) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	switch {
	case m.Token == "":
		return s, nil, fmt.Errorf("an upload needs a token: %w", messages.Invalid)
	case s.Status != messages.ImageStatus_IMAGE_STATUS_QUEUED:
		return s, nil, fmt.Errorf("image %s has its data already: %w", s.ID, messages.Conflict)
	case s.upload.live(in.Now) && s.upload.token != m.Token:
		return s, nil, fmt.Errorf("another upload of image %s is under way: %w", s.ID, messages.Conflict)
	case s.ContainerFormat == "" || s.DiskFormat == "":
		return s, nil, fmt.Errorf("disk_format and container_format must be set before data is uploaded: %w", messages.Invalid)
	}
	s.upload = upload{m.Token, in.Now.Add(UploadLease)}
	return s, answer(s, in), nil
}

func end(s State, m *messages.EndImageUpload) (State, []actors.Effect, error) {
	if s.upload.token == m.Token {
		s.upload = upload{}
	}
	return s, nil, nil
}

// uploaded makes the image active. An upload that was forgotten on a move still
// counts, unless another has begun since.
func uploaded(s State, in actors.Input, m *messages.ImageUploaded) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	switch {
	case s.Status != messages.ImageStatus_IMAGE_STATUS_QUEUED && s.SHA256 == m.Sha256:
		return s, answer(s, in), nil // told again
	case s.Status != messages.ImageStatus_IMAGE_STATUS_QUEUED:
		return s, nil, fmt.Errorf("image %s has its data already: %w", s.ID, messages.Conflict)
	case s.upload.live(in.Now) && s.upload.token != m.Token:
		return s, nil, fmt.Errorf("another upload of image %s is under way: %w", s.ID, messages.Conflict)
	case m.Sha256 == "" || m.SizeBytes <= 0 || m.VirtualBytes <= 0:
		return s, nil, fmt.Errorf("an image needs content of some size: %w", messages.Invalid)
	}
	s.upload, s.Status = upload{}, messages.ImageStatus_IMAGE_STATUS_ACTIVE
	s.SHA256, s.SHA512, s.MD5 = m.Sha256, m.Sha512, m.Md5
	s.Size, s.Virtual = m.SizeBytes, m.VirtualBytes
	return checked(s, in)
}
