package image

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// scanChunk is how many index entries are read at once.
const scanChunk = 100

// prefixes are the parts of the index that hold what the caller may list.
func (q query) prefixes() []string {
	if q.scope == "" {
		return []string{image.IndexAll}
	}
	own := image.IndexProject(q.scope)
	var offered []string
	for _, status := range q.memberStatus {
		offered = append(offered, image.IndexMember(q.scope, status))
	}
	switch q.visibility {
	case image.Public:
		return []string{image.IndexPublic}
	case image.Community:
		return []string{image.IndexCommunity}
	case image.Private:
		return []string{own}
	case image.Shared:
		return append(offered, own)
	case everything:
		return append(offered, own, image.IndexPublic, image.IndexCommunity)
	}
	return append(offered, own, image.IndexPublic)
}

// scan visits the images that match, the newest first, those after the given
// end of an index key.
func (a *API) scan(r *api.Request, q query, after string, visit func(*messages.ImageView) (bool, error)) error {
	var sources []*source
	for _, prefix := range q.prefixes() {
		s := &source{cloud: a.cloud, prefix: prefix, page: cluster.Page{Prefix: prefix, Limit: scanChunk}, more: true}
		if after != "" {
			s.page.After = prefix + after
		}
		sources = append(sources, s)
	}
	for {
		v, err := next(r.Context(), sources)
		if err != nil || v == nil {
			return err
		}
		if !q.match(v) {
			continue
		}
		if on, err := visit(v); err != nil || !on {
			return err
		}
	}
}

// next takes the newest image from sources, once however many have it.
func next(ctx context.Context, sources []*source) (*messages.ImageView, error) {
	first := ""
	for _, s := range sources {
		if err := s.fill(ctx); err != nil {
			return nil, err
		}
		if end := s.end(); end != "" && (first == "" || end < first) {
			first = end
		}
	}
	var v *messages.ImageView
	for _, s := range sources {
		if first == "" || s.end() != first {
			continue
		}
		v = &messages.ImageView{}
		if err := proto.Unmarshal(s.entries[0].Value, v); err != nil {
			return nil, fmt.Errorf("index entry %s: %w: %w", s.entries[0].Key, err, messages.Internal)
		}
		s.entries = s.entries[1:]
	}
	return v, nil
}

// source reads one part of the index, piece by piece.
type source struct {
	cloud   Cloud
	prefix  string
	page    cluster.Page
	entries []actors.Entry
	more    bool
}

func (s *source) fill(ctx context.Context) (err error) {
	for len(s.entries) == 0 && s.more {
		if s.entries, s.more, err = s.cloud.List(ctx, s.page); err != nil {
			return err
		}
		if n := len(s.entries); n > 0 {
			s.page.After = s.entries[n-1].Key
		}
	}
	return nil
}

// end is what the first entry's key ends with; "" if there is none.
func (s *source) end() string {
	if len(s.entries) == 0 {
		return ""
	}
	return strings.TrimPrefix(s.entries[0].Key, s.prefix)
}
