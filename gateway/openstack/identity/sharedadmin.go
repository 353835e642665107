package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/troupe-cloud/troupe/messages"
)

// sharedName is what errors call the shared credentials.
const sharedName = "the shared credentials of the administrator"

// have is what is known of the administrator: what all gateways share, else what
// stands in the folder; nil if neither is there.
func (s Setup) have(ctx context.Context) (*Credentials, error) {
	if s.Shared != nil {
		c, _, err := s.loadShared(ctx)
		if err != nil || c != nil {
			return c, err
		}
	}
	c, err := ReadCredentials(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return c, err
}

func (s Setup) loadShared(ctx context.Context) (*Credentials, uint64, error) {
	raw, revision, err := s.Shared.Load(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", sharedName, err)
	}
	if raw == nil {
		return nil, revision, nil
	}
	c, err := parseCredentials(sharedName, raw)
	return c, revision, err
}

// share makes c what all gateways know, unless another was first: then what that
// one has made counts.
func (s Setup) share(ctx context.Context, c *Credentials) (*Credentials, error) {
	if s.Shared == nil {
		return c, nil
	}
	is, revision, err := s.loadShared(ctx)
	if err != nil || is != nil {
		return is, err
	}
	if err = s.saveShared(ctx, c, revision); errors.Is(err, messages.Conflict) {
		c, _, err = s.loadShared(ctx)
	}
	return c, err
}

// reshare puts c in the place of what is there.
func (s Setup) reshare(ctx context.Context, c *Credentials) error {
	if s.Shared == nil {
		return nil
	}
	_, revision, err := s.Shared.Load(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", sharedName, err)
	}
	return s.saveShared(ctx, c, revision)
}

func (s Setup) saveShared(ctx context.Context, c *Credentials, revision uint64) error {
	own := *c
	own.AuthURL = "" // each gateway has its own
	raw, err := json.Marshal(own)
	if err != nil {
		return fmt.Errorf("encode %s: %w", sharedName, err)
	}
	if err := s.Shared.Save(ctx, raw, revision); err != nil {
		return fmt.Errorf("write %s: %w", sharedName, err)
	}
	return nil
}
