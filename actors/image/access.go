package image

import (
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

var errPublic = fmt.Errorf("only an operator may make an image public: %w", messages.Denied)

// visible says whether scope may know of the image.
func (s State) visible(scope string) bool {
	if scope == "" || scope == s.ProjectID || s.Visibility == Public || s.Visibility == Community {
		return true
	}
	_, member := s.Members[scope]
	return s.Visibility == Shared && member
}

// owned refuses whoever may not change the image.
func (s State) owned(scope string) error {
	switch {
	case scope == "" || scope == s.ProjectID:
		return nil
	case s.visible(scope):
		return fmt.Errorf("image %s belongs to another project: %w", s.ID, messages.Denied)
	}
	return absent(s.ID)
}
