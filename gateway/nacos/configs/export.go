package configs

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// export answers an archive of what a search finds, or of what is named by ids. It
// is read and sent one config after the other; what is removed meanwhile is not in
// it. Contents are as they are stored: encrypted ones without their keys, as
// Nacos' archives have them.
func (a *API) export(names api.ConfigNames, describe describe) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		keys, err := a.chosen(r, names)
		if err != nil {
			return api.Answer{}, err
		}
		from, to := io.Pipe()
		go func() { _ = to.CloseWithError(a.pack(r.Context(), to, keys, describe)) }() // never fails
		name := "nacos_config_export_" + time.Now().UTC().Format("20060102150405") + ".zip"
		return api.Answer{Stream: from, Type: "application/octet-stream", Header: http.Header{
			"Content-Disposition": {"attachment;filename=" + name},
		}}, nil
	}
}

// chosen are the keys that are to be exported.
func (a *API) chosen(r *api.Request, names api.ConfigNames) ([]api.Key, error) {
	v := r.Values()
	if v.Text("ids") != "" {
		ids, err := numbers(r.Params["ids"])
		if err != nil {
			return nil, err
		}
		return a.numbered(r, ids, api.Read)
	}
	q, err := queryOf(r, names, true)
	if err != nil {
		return nil, err
	}
	if !r.User.May(api.Read, searchResource(names)(r)) {
		return nil, errForbidden
	}
	var keys []api.Key
	err = a.walk(r.Context(), q, func(f found) error {
		if len(keys) == maxItems {
			return api.ParameterInvalid.Errorf("an archive holds at most %d configs: say more of the group or of the data id", maxItems)
		}
		keys = append(keys, f.key)
		return nil
	})
	return keys, err
}

// describe writes the description of an archive, of one version or the other.
type describe func(*zip.Writer, []*messages.ConfigEntry) error

func (a *API) pack(ctx context.Context, to io.Writer, keys []api.Key, describe describe) error {
	z := zip.NewWriter(to)
	var packed []*messages.ConfigEntry
	for _, key := range keys {
		c, err := cluster.Ask[*messages.Config](ctx, a.cloud, ref(key), &messages.GetConfigDetail{})
		if errors.Is(err, messages.NotFound) || err == nil && !c.GetFormal() {
			continue
		}
		if err != nil {
			return err
		}
		if err := putIn(z, key.Group+"/"+key.Name, c.GetContent()); err != nil {
			return err
		}
		packed = append(packed, c.GetEntry())
	}
	if err := describe(z, packed); err != nil {
		return err
	}
	return z.Close()
}

func putIn(z *zip.Writer, name, text string) error {
	w, err := z.Create(name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

func describeV1(z *zip.Writer, packed []*messages.ConfigEntry) error {
	var text strings.Builder
	for _, e := range packed {
		if e.GetApp() != "" {
			text.WriteString(metaName(e.GetGroup(), e.GetDataId()) + "=" + e.GetApp() + "\r\n")
		}
	}
	if text.Len() == 0 {
		return nil
	}
	return putIn(z, describedV1, text.String())
}

func describeV2(z *zip.Writer, packed []*messages.ConfigEntry) error {
	var m metadata
	for _, e := range packed {
		m.Metadata = append(m.Metadata, metadataItem{
			App: e.GetApp(), DataID: e.GetDataId(), Desc: e.GetDescription(), Group: e.GetGroup(), Type: e.GetType(),
		})
	}
	text, err := yaml.Marshal(m)
	if err != nil {
		return err
	}
	return putIn(z, describedV2, string(text))
}
