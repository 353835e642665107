// Package image owns the dialect of the OpenStack image API (Glance v2): its
// routes, bodies and errors. It streams content between clients and the blob
// store and has it inspected on the way; what an image may do, the image actor
// decides.
package image

import (
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// Prefix is where the dialect is mounted.
const Prefix = "/image"

// Defaults of Config, and the limits of one list.
const (
	DefaultMaxUploadBytes = 1 << 40
	defaultPage           = 25
	maxPage               = 1000
	maxSorted             = 10_000 // images that one list may have to sort
)

// Cloud is what the dialect needs of the actor system; *cluster.Client is one.
type Cloud interface {
	cluster.Asker
	List(ctx context.Context, page cluster.Page) (entries []actors.Entry, more bool, err error)
}

// Blobs is where contents are kept: the store of one machine, or the images of a
// whole cluster.
type Blobs interface {
	// Stage takes in what r yields, at most limit bytes; its Keep makes it durable
	// as promised, and holds it until an image refers to it.
	Stage(ctx context.Context, r io.Reader, limit int64) (*blobs.Staged, error)
	// Open gives a content to read, from wherever it is.
	Open(ctx context.Context, sha256 string) (blobs.Content, error)
	// Discard removes a content everywhere, unless wanted says that an image refers to it.
	Discard(ctx context.Context, sha256 string, wanted blobs.Referenced) error
	// Copies is how many durable copies of a content there are, and how many there should be.
	Copies(ctx context.Context, sha256 string) (have, want int, err error)
}

// Config is what the dialect depends on.
type Config struct {
	Client Cloud
	Blobs  Blobs

	// MaxUploadBytes is the size of the largest image; 0: DefaultMaxUploadBytes.
	MaxUploadBytes int64
}

// API is the dialect.
type API struct {
	cfg   Config
	cloud Cloud
}

// New makes the dialect.
func New(cfg Config) *API {
	if cfg.MaxUploadBytes <= 0 {
		cfg.MaxUploadBytes = DefaultMaxUploadBytes
	}
	return &API{cfg: cfg, cloud: cfg.Client}
}

// Dialect is what the server mounts.
func (a *API) Dialect() api.Dialect {
	return api.Dialect{Name: "image", Prefix: Prefix, Routes: a.routes(), WriteError: writeError}
}

// Wanted says whether any image refers to a content: the question that a blob
// store asks before it discards one.
func Wanted(cloud Cloud) blobs.Referenced {
	return func(ctx context.Context, sha256 string) (bool, error) {
		entries, _, err := cloud.List(ctx, cluster.Page{Prefix: image.IndexContent(sha256), Limit: 1})
		return len(entries) > 0, err
	}
}

// scope is the project that r is confined to; "" for an operator. A token
// without a project may do nothing here.
func scope(r *api.Request) (string, error) {
	if !r.Principal.Admin() && r.Principal.ProjectID == "" {
		return "", fmt.Errorf("the token is for no project: %w", messages.Denied)
	}
	return r.Principal.Scope(), nil
}

// ask sends the image that the path names the message that build makes for the
// caller's scope. What is no UUID is the id of no image.
func ask[T proto.Message](a *API, r *api.Request, build func(scope string) proto.Message) (T, error) {
	var none T
	s, err := scope(r)
	if err != nil {
		return none, err
	}
	id := r.PathValue("id")
	if !isUUID(id) {
		return none, fmt.Errorf("no image found with ID %.80s: %w", id, messages.NotFound)
	}
	return cluster.Ask[T](r.Context(), a.cloud, image.Ref(id), build(s))
}

// get is the image that the path names.
func (a *API) get(r *api.Request) (*messages.ImageView, error) {
	return ask[*messages.ImageView](a, r, func(scope string) proto.Message { return &messages.GetImage{Scope: scope} })
}

func isUUID(s string) bool {
	_, err := uuid.Parse(s)
	return err == nil && len(s) == 36
}
