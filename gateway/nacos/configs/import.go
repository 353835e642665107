package configs

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// importZip stores the configs of an archive: all of them can be stored, or none is.
// Its parameters may stand in the query as well as in the form beside the file.
func (a *API) importZip(namespace ...string) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		select {
		case a.imports <- struct{}{}:
			defer func() { <-a.imports }()
		default:
			return api.Answer{}, api.Busy.Errorf("other archives are being imported just now: try again later")
		}
		raw, err := readUpload(r)
		if err != nil {
			return moved(r, wire.Transfer{}, "", err)
		}
		v := r.Values()
		p, err := parsePolicy(v.Text("policy"))
		if err != nil {
			return api.Answer{}, err
		}
		into, err := a.into(r, v.Text(namespace...))
		if err != nil {
			return moved(r, wire.Transfer{}, "", err)
		}
		z, err := openArchive(raw, maxUnpacked)
		if err != nil {
			return moved(r, wire.Transfer{}, "", err)
		}
		t, err := a.transfer(r, into, z.items, p, "import")
		t.Unrecognized, t.UnrecognizedCount = z.unrecognized, len(z.unrecognized)
		return moved(r, t, "import success", err)
	}
}

// readUpload reads a form with a file; its other fields become parameters, behind
// those of the query.
func readUpload(r *api.Request) ([]byte, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, api.MediaTypeError.Errorf("an archive comes as the file of a multipart form")
	}
	var file []byte
	for {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF) && file == nil:
			return nil, api.ImportEmpty.Errorf("there is no file in the form")
		case errors.Is(err, io.EOF):
			return file, nil
		case err != nil:
			return nil, uploadFailed(err)
		case part.FormName() == "file" && file == nil:
			if file, err = bounded(part, maxArchive); err != nil {
				return nil, err
			}
		default:
			value, err := bounded(part, maxField)
			if err != nil {
				return nil, err
			}
			r.Params[part.FormName()] = append(r.Params[part.FormName()], string(value))
		}
	}
}

// bounded is a part of a form of at most so many bytes.
func bounded(part *multipart.Part, most int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(part, most+1))
	switch {
	case err != nil:
		return nil, uploadFailed(err)
	case int64(len(raw)) > most:
		return nil, tooLarge(most)
	case raw == nil:
		raw = []byte{}
	}
	return raw, nil
}

func uploadFailed(err error) error {
	if e := (*http.MaxBytesError)(nil); errors.As(err, &e) {
		return tooLarge(e.Limit)
	}
	return api.ParameterInvalid.Errorf("the form ended early: %w", messages.Invalid)
}

func tooLarge(most int64) error {
	return api.Code{Number: api.ParameterInvalid.Number, Name: api.ParameterInvalid.Name, Status: http.StatusRequestEntityTooLarge}.
		Errorf("a part of the form is larger than %d bytes", most)
}
