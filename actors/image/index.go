package image

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Index entries of images. Each prefix is followed by Newest, so a scan yields
// the newest image first; the values are marshalled messages.ImageView without
// the members. An image that is being uploaded is listed as queued.
const (
	IndexAll       = "image/all/"       // for operators
	IndexPublic    = "image/public/"    // of visibility public
	IndexCommunity = "image/community/" // of visibility community
	indexProject   = "image/project/"
	indexMember    = "image/member/"
	indexContent   = "image-content/"
)

// IndexProject is what the entries of a project's own images begin with.
func IndexProject(project string) string { return indexProject + actors.Escape(project) + "/" }

// IndexMember is what the entries of the images begin with that are shared
// with project and have the given status there (Pending, Accepted, Rejected).
func IndexMember(project, status string) string {
	return indexMember + actors.Escape(project) + "/" + status + "/"
}

// IndexContent is what the entries of the images with one content begin with;
// the image's id follows, the value is empty. A content whose prefix lists
// nothing is wanted by nobody.
func IndexContent(sha256 string) string { return indexContent + sha256 + "/" }

// Newest is the end of an image's index keys: the later made, the earlier in
// order.
func Newest(createdAt int64, id string) string {
	return fmt.Sprintf("%016x/%s", uint64(math.MaxInt64-createdAt), actors.Escape(id))
}

func index(s State) []actors.Entry {
	if !s.exists() {
		return nil
	}
	value := s.listed()
	end := Newest(s.CreatedAt, s.ID)
	entries := []actors.Entry{
		{Key: IndexAll + end, Value: value},
		{Key: IndexProject(s.ProjectID) + end, Value: value},
	}
	switch s.Visibility {
	case Public:
		entries = append(entries, actors.Entry{Key: IndexPublic + end, Value: value})
	case Community:
		entries = append(entries, actors.Entry{Key: IndexCommunity + end, Value: value})
	case Shared:
		for project, m := range s.Members {
			entries = append(entries, actors.Entry{Key: IndexMember(project, m.Status) + end, Value: value})
		}
	}
	if s.SHA256 != "" {
		entries = append(entries, actors.Entry{Key: IndexContent(s.SHA256) + s.ID})
	}
	return entries
}

// listed is the view as index entries hold it: it depends on what is saved
// alone, and equal images have equal bytes.
func (s State) listed() []byte {
	s.upload = upload{}
	v := s.view(time.Time{})
	v.Members = nil
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode image view: %w", err)) // names are checked to be text before
	}
	return raw
}

func (s State) view(now time.Time) *messages.ImageView {
	v := &messages.ImageView{
		Id: s.ID, Name: s.Name, ProjectId: s.ProjectID, Status: s.Status, Visibility: s.Visibility,
		Protected: s.Protected, ContainerFormat: s.ContainerFormat, DiskFormat: s.DiskFormat,
		SizeBytes: s.Size, VirtualBytes: s.Virtual, MinDiskGib: s.MinDiskGiB, MinRamMib: s.MinRAMMiB,
		Md5: s.MD5, Sha512: s.SHA512, Sha256: s.SHA256, Tags: slices.Clone(s.Tags),
		Properties: maps.Clone(s.Properties), CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, Hidden: s.Hidden,
	}
	if s.Status == messages.ImageStatus_IMAGE_STATUS_QUEUED && s.upload.live(now) {
		v.Status = messages.ImageStatus_IMAGE_STATUS_SAVING
	}
	for _, project := range slices.Sorted(maps.Keys(s.Members)) {
		m := s.Members[project]
		v.Members = append(v.Members, &messages.ImageMember{
			ProjectId: project, Status: m.Status, CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt,
		})
	}
	return v
}
