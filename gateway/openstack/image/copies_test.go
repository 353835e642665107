package image

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// copies are how many there are, of everything.
type copies struct {
	Blobs
	have, want int
	err        error
}

func (c copies) Copies(context.Context, string) (have, want int, err error) {
	return c.have, c.want, c.err
}

func TestTooFewCopiesAreShown(t *testing.T) {
	for name, tt := range map[string]struct {
		blobs  copies
		sha256 string
		want   string
	}{
		"as promised":    {copies{have: 2, want: 2}, "x", ""},
		"more":           {copies{have: 3, want: 2}, "x", ""},
		"too few":        {copies{have: 1, want: 2}, "x", "1 of 2"},
		"not known":      {copies{want: 2, err: errors.New("nobody answers")}, "x", ""},
		"no content yet": {copies{want: 2}, "", ""},
	} {
		a := New(Config{Blobs: tt.blobs})
		r := &api.Request{Request: httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)}
		if got := a.missing(r, &messages.ImageView{Sha256: tt.sha256}); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
