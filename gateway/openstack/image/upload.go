package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/drivers/imageformat"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// tidyTime bounds what is done after a client has gone. announceTime bounds how
// long an image may take to refer to its content, which is held for longer.
const (
	tidyTime     = 10 * time.Second
	announceTime = time.Minute
)

// upload streams the body to the blob store, has it inspected, and only then
// tells the image of it. Whatever fails, the image is queued again and nothing
// is left on disk.
func (a *API) upload(r *api.Request) (api.Response, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/octet-stream" {
		return api.Response{}, api.WithStatus(http.StatusUnsupportedMediaType,
			fmt.Errorf("image data is application/octet-stream: %w", messages.Invalid))
	}
	if r.ContentLength > a.cfg.MaxUploadBytes {
		return api.Response{}, tooLarge(a.cfg.MaxUploadBytes)
	}
	token := uuid.NewString()
	begin := func(scope string) proto.Message { return &messages.BeginImageUpload{Scope: scope, Token: token} }
	v, err := ask[*messages.ImageView](a, r, begin)
	if err != nil {
		return api.Response{}, err
	}
	stop := a.prolong(r, begin)
	err = a.receive(r, v, token)
	stop()
	if err != nil {
		a.abandon(r, v.Id, token)
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusNoContent}, nil
}

// receive takes the body in and announces it.
func (a *API) receive(r *api.Request, v *messages.ImageView, token string) error {
	staged, err := a.cfg.Blobs.Stage(r.Context(), incoming{r.Body}, a.cfg.MaxUploadBytes)
	if errors.Is(err, blobs.ErrTooLarge) {
		return tooLarge(a.cfg.MaxUploadBytes)
	}
	if err != nil {
		return err
	}
	defer staged.Drop()
	report, err := imageformat.Check(staged, staged.Info.Size, imageformat.Format(v.DiskFormat))
	if err != nil {
		if errors.Is(err, messages.Invalid) {
			err = api.WithStatus(http.StatusUnsupportedMediaType, err)
		}
		return err
	}
	release, err := staged.Keep(r.Context())
	if err != nil {
		return err
	}
	err = a.announce(r, staged.Info, report, token)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), tidyTime)
	defer cancel()
	if known := err != nil && !errors.Is(err, messages.Unavailable); known {
		// Whether an unanswered image took the content is found out at the next start.
		_ = a.cfg.Blobs.Discard(ctx, staged.Info.SHA256, Wanted(a.cloud))
	}
	if e := release(ctx); err == nil {
		err = e
	}
	return err
}

func (a *API) announce(r *api.Request, info blobs.Info, report imageformat.Report, token string) error {
	ctx, cancel := context.WithTimeout(r.Context(), announceTime)
	defer cancel()
	bounded := *r
	bounded.Request = r.WithContext(ctx)
	_, err := ask[*messages.ImageView](a, &bounded, func(scope string) proto.Message {
		return &messages.ImageUploaded{
			Scope: scope, Token: token, Sha256: info.SHA256, Sha512: info.SHA512, Md5: info.MD5,
			SizeBytes: info.Size, VirtualBytes: report.VirtualBytes,
		}
	})
	return err
}

// prolong keeps the upload's place as long as it lasts.
func (a *API) prolong(r *api.Request, begin func(string) proto.Message) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(image.UploadLease / 3)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				_, _ = ask[proto.Message](a, r, begin) // the announcement will say if the place was lost
			}
		}
	}()
	return func() { close(done) }
}

// abandon gives the place up, though the client may be gone.
func (a *API) abandon(r *api.Request, id, token string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), tidyTime)
	defer cancel()
	_, _ = a.cloud.Ask(ctx, image.Ref(id), &messages.EndImageUpload{Token: token}) // else its lease ends
}

func tooLarge(limit int64) error {
	return api.WithStatus(http.StatusRequestEntityTooLarge, fmt.Errorf("an image has at most %d bytes: %w", limit, messages.Invalid))
}

// incoming makes the errors of a request body the client's.
type incoming struct{ io.Reader }

func (in incoming) Read(p []byte) (int, error) {
	n, err := in.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("the upload ended early: %w", messages.Invalid)
	}
	return n, err
}
