package compute

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	kind "github.com/troupe-cloud/troupe/actors/keypair"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

var createKeypairSchema = versioned("create-keypair", func(minor int) object {
	name := object{"type": "string", "format": "name", "minLength": 1, "maxLength": maxName, "pattern": `^[_ a-zA-Z0-9-]+$`}
	if minor >= 92 {
		name["pattern"] = `^[_@. a-zA-Z0-9-]+$`
	}
	k := object{"name": name, "public_key": stringType}
	required := []string{"name"}
	if minor >= 2 {
		k["type"] = object{"type": "string", "enum": list(kind.SSH, kind.X509)}
	}
	if minor >= 10 {
		k["user_id"] = stringType
	}
	if minor >= 92 {
		required = append(required, "public_key")
	}
	return wrapped("keypair", fields(k, required...))
}, 2, 10, 92)

type createKeypairBody struct {
	Keypair struct {
		Name      string  `json:"name"`
		Type      string  `json:"type"`
		PublicKey *string `json:"public_key"`
		UserID    string  `json:"user_id"`
	} `json:"keypair"`
}

func keypairRef(user string) actors.Ref { return actors.Ref{Kind: kind.Kind, ID: user} }

// createKeypair keeps a public key; before 2.92, without one given, it makes a
// pair and answers with the private half, which is kept nowhere.
func (a *API) createKeypair(r *api.Request) (api.Response, error) {
	body, err := decode[createKeypairBody](r, createKeypairSchema)
	if err != nil {
		return api.Response{}, err
	}
	k := &body.Keypair
	user, err := ownerOf(r, k.UserID)
	if err != nil {
		return api.Response{}, err
	}
	made := generated{}
	if k.PublicKey != nil {
		made.public = *k.PublicKey
	} else if made, err = generate(k.Type, user); err != nil {
		return api.Response{}, err
	}
	q, err := a.quota(r, r.Principal.ProjectID)
	if err != nil {
		return api.Response{}, err
	}
	kept, err := cluster.Ask[*messages.Keypair](r.Context(), a.cloud, keypairRef(user), &messages.CreateKeypair{
		Name: strings.TrimSpace(k.Name), Type: k.Type, PublicKey: made.public, Limit: q.Limits["key_pairs"],
	})
	if err != nil {
		return api.Response{}, err
	}
	v := keypair(r, kept)
	v.UserID, v.PrivateKey = kept.UserId, made.private
	status := http.StatusCreated
	if !r.Version.AtLeast(2) {
		status = http.StatusOK
	}
	return api.Response{Status: status, Body: keypairBody{v}}, nil
}

// ownerOf is whose keypairs are meant: from 2.10 an administrator may name
// another user.
func ownerOf(r *api.Request, asked string) (string, error) {
	switch {
	case asked == "" || asked == r.Principal.UserID || !r.Version.AtLeast(10):
		return r.Principal.UserID, nil
	case !r.Principal.Admin():
		return "", forbidden("Policy doesn't allow os_compute_api:os-keypairs to be performed.")
	}
	return asked, nil
}

// ownerAsked is the owner named in the query.
func ownerAsked(r *api.Request) (string, url.Values, error) {
	query, err := queryOf(r)
	if err != nil {
		return "", nil, err
	}
	user, err := ownerOf(r, query.Get("user_id"))
	return user, query, err
}

type keypairBody struct {
	Keypair keypairView `json:"keypair"`
}

type keypairView struct {
	Name        string `json:"name"`
	PublicKey   string `json:"public_key"`
	Fingerprint string `json:"fingerprint"`
	Type        string `json:"type,omitempty"` // from 2.2
	UserID      string `json:"user_id,omitempty"`
	PrivateKey  string `json:"private_key,omitempty"`

	// Only in the answer to a show.
	ID      int64 `json:"id,omitempty"`
	Created any   `json:"created_at,omitempty"`
	Deleted any   `json:"deleted,omitempty"`
	Gone    any   `json:"deleted_at,omitempty"`
	Updated any   `json:"updated_at,omitempty"`
}

func keypair(r *api.Request, k *messages.Keypair) keypairView {
	v := keypairView{Name: k.Name, PublicKey: k.PublicKey, Fingerprint: k.Fingerprint}
	if r.Version.AtLeast(2) {
		v.Type = k.Type
	}
	return v
}

func (a *API) showKeypair(r *api.Request) (api.Response, error) {
	user, query, err := ownerAsked(r)
	if err != nil {
		return api.Response{}, err
	}
	if r.Version.AtLeast(75) {
		if err := onlyParams(query, "user_id"); err != nil {
			return api.Response{}, err
		}
	}
	k, err := cluster.Ask[*messages.Keypair](r.Context(), a.cloud, keypairRef(user), &messages.GetKeypair{Name: r.PathValue("name")})
	if err != nil {
		return api.Response{}, err
	}
	v := keypair(r, k)
	v.UserID, v.ID, v.Created = k.UserId, k.Number, fineStamp(k.CreatedAt)
	v.Deleted, v.Gone, v.Updated = false, null, null
	return api.Response{Body: keypairBody{v}}, nil
}

func (a *API) deleteKeypair(r *api.Request) (api.Response, error) {
	user, query, err := ownerAsked(r)
	if err != nil {
		return api.Response{}, err
	}
	if r.Version.AtLeast(75) {
		if err := onlyParams(query, "user_id"); err != nil {
			return api.Response{}, err
		}
	}
	_, err = a.cloud.Ask(r.Context(), keypairRef(user), &messages.DeleteKeypair{Name: r.PathValue("name")})
	if !r.Version.AtLeast(2) {
		return api.Response{Status: http.StatusAccepted}, err
	}
	return api.Response{Status: http.StatusNoContent}, err
}

// listKeypairs lists by name; in pages from 2.35.
func (a *API) listKeypairs(r *api.Request) (api.Response, error) {
	user, query, err := ownerAsked(r)
	if err != nil {
		return api.Response{}, err
	}
	if r.Version.AtLeast(75) {
		if err := onlyParams(query, "user_id", "limit", "marker"); err != nil {
			return api.Response{}, err
		}
	}
	page := api.Page{Limit: a.cfg.MaxPage}
	if r.Version.AtLeast(35) {
		if page, err = api.PageOf(query, a.cfg.MaxPage); err != nil {
			return api.Response{}, err
		}
	}
	found, err := a.keypairs(r, user, page)
	if err != nil {
		return api.Response{}, err
	}
	body := struct {
		Keypairs []keypairBody `json:"keypairs"`
		Links    []link        `json:"keypairs_links,omitempty"`
	}{Keypairs: make([]keypairBody, 0, len(found))}
	for _, k := range found {
		body.Keypairs = append(body.Keypairs, keypairBody{keypair(r, k)})
	}
	if n := len(found); n > 0 && r.Version.AtLeast(35) {
		body.Links = nextLink(r, page, n, found[n-1].Name)
	}
	return api.Response{Body: body}, nil
}

func (a *API) keypairs(r *api.Request, user string, page api.Page) (found []*messages.Keypair, err error) {
	if err := a.each(r.Context(), kind.IndexPrefix+actors.Escape(user)+"/", func(e actors.Entry) (bool, error) {
		k, err := read(e, &messages.Keypair{})
		found = append(found, k)
		return true, err
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *messages.Keypair) int { return strings.Compare(a.Name, b.Name) })
	if page.Marker != "" {
		at := slices.IndexFunc(found, func(k *messages.Keypair) bool { return k.Name == page.Marker })
		if at < 0 {
			return nil, badRequest("Marker %s could not be found.", clip(page.Marker))
		}
		found = found[at+1:]
	}
	return found[:min(len(found), page.Limit)], nil
}
