// Package door finds out who asks over HTTP on the registry's listener outside
// Nacos' own frame: which credentials are the registry's, whether they are good, and
// how a request looks without them. It owns no account and no permission; packages
// nacos/auth and the access actor do.
package door

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// Where the registry's token stands in a request; the header goes first.
const (
	TokenHeader = "X-Troupe-Token"
	TokenParam  = "accessToken"
)

// Door checks who enters.
type Door struct {
	Auth api.Authenticator
	// Signed says whether a bearer token was made by this registry, also one that is
	// not good any more.
	Signed func(ctx context.Context, token string) bool
	// Open lets in whoever has no token, without a look at names and passwords.
	Open bool
	// Admit says whether remote (host:port) may ask for anything now; nil: always.
	Admit func(remote string) bool
	// Busy says whether there is too much to do already; nil: never.
	Busy func() bool
}

// Visit is who asks, and whether the Authorization header of his request is meant
// for the registry.
type Visit struct {
	User *api.User
	Ours bool
}

// Refusal is an answer instead of what was asked for.
type Refusal struct {
	Status   int
	Sentence string
}

func (r *Refusal) Error() string { return r.Sentence }

func refuse(status int, sentence string) *Refusal { return &Refusal{status, sentence} }

// Enter finds out who sends r. Foreign says that an Authorization header may be
// somebody else's, who is asked through here. The error is a *Refusal, or the
// authenticator's own.
func (d *Door) Enter(r *http.Request, foreign bool) (Visit, error) {
	switch {
	case d.Admit != nil && !d.Admit(r.RemoteAddr):
		return Visit{}, refuse(http.StatusTooManyRequests, "too many requests from this address: try again later")
	case d.Busy != nil && d.Busy():
		return Visit{}, refuse(http.StatusServiceUnavailable, "there is too much to do just now: try again later")
	case len(r.Header.Values("Authorization")) > 1 || len(r.Header.Values(TokenHeader)) > 1:
		return Visit{}, refuse(http.StatusBadRequest, "credentials are given twice")
	}
	c, ours := d.credentials(r, foreign)
	if c == (api.Credentials{}) && !d.Open {
		return Visit{}, refuse(http.StatusUnauthorized, "who asks? send a token as "+TokenHeader+", or a name and a password")
	}
	user, err := d.Auth.Identify(r.Context(), c)
	if errors.Is(err, messages.Denied) {
		return Visit{}, refuse(http.StatusUnauthorized, "these credentials are not good, or not any more")
	}
	return Visit{user, ours}, err
}

// credentials of r, and whether its Authorization header is the registry's.
func (d *Door) credentials(r *http.Request, foreign bool) (c api.Credentials, ours bool) {
	if c.Token = r.Header.Get(TokenHeader); c.Token == "" {
		c.Token = param(r.URL.RawQuery)
	}
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if rest = strings.TrimSpace(rest); strings.EqualFold(scheme, "Bearer") {
		if ours = !foreign || d.Signed != nil && d.Signed(r.Context(), rest); ours && c.Token == "" {
			c.Token = rest
		}
		return c, ours
	}
	// A password is hashed to be checked, and a wrong one is counted: where there is a
	// token, or nobody is asked, it is not looked at.
	if name, password, ok := r.BasicAuth(); ok && c.Token == "" && !d.Open {
		c.Username, c.Password = name, password
		return c, true
	}
	return c, false
}

// param is the token in a query.
func param(query string) string {
	for piece := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(piece, "=")
		if name, err := url.QueryUnescape(key); err == nil && name == TokenParam {
			if token, err := url.QueryUnescape(value); err == nil {
				return token
			}
		}
	}
	return ""
}

// Strip takes the registry's credentials out of a request that goes on to somebody
// else; of its URL and header, which are to be the request's own.
func (v Visit) Strip(u *url.URL, h http.Header) {
	h.Del(TokenHeader)
	h.Del(TokenParam) // the header in which Nacos' clients may send it
	if v.Ours {
		h.Del("Authorization")
	}
	if u.RawQuery != "" {
		u.RawQuery = without(u.RawQuery)
	}
}

// without is a query without tokens, all else to the letter. A semicolon separates
// too: not here, but where the query goes perhaps.
func without(query string) string {
	for i := 0; i <= len(query); {
		end := len(query)
		if n := strings.IndexAny(query[i:], "&;"); n >= 0 {
			end = i + n
		}
		key, _, _ := strings.Cut(query[i:end], "=")
		if name, err := url.QueryUnescape(key); err == nil && strings.EqualFold(strings.TrimSpace(name), TokenParam) {
			if end < len(query) {
				query = query[:i] + query[end+1:]
				continue
			}
			return query[:max(i-1, 0)]
		}
		i = end + 1
	}
	return query
}

// Key reads NAMESPACE/GROUP/NAME, each escaped, and what follows it, which is
// empty or begins with a slash and is left as it is.
func Key(path string) (key api.Key, rest string, err error) {
	var parts [3]string
	rest = path
	for i := range parts {
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		if parts[i], err = url.PathUnescape(rest[:end]); err != nil {
			return key, "", refuse(http.StatusBadRequest, "the path is badly escaped")
		}
		if rest = rest[end:]; i < len(parts)-1 {
			rest = strings.TrimPrefix(rest, "/")
		}
	}
	key = api.Key{Namespace: parts[0], Group: parts[1], Name: parts[2]}
	return key, rest, Check(key)
}

// Check refuses what cannot name a service.
func Check(key api.Key) error {
	for _, err := range []error{api.CheckNamespace(key.Namespace), api.CheckGroup(key.Group), api.CheckService(key.Name)} {
		if err != nil || key.Namespace == "" {
			return refuse(http.StatusBadRequest, "a service is named NAMESPACE/GROUP/NAME")
		}
	}
	return nil
}

// MayRead says whether the visitor may know of a service, and call it.
func (v Visit) MayRead(key api.Key) error {
	if v.User.May(api.Read, api.Resource{Namespace: key.Namespace, Group: key.Group, Type: api.Naming, Name: key.Name}) {
		return nil
	}
	return refuse(http.StatusForbidden, "you have no permission r on this service")
}

// StatusOf is the status and the sentence that err is answered with.
func StatusOf(err error) (int, string) {
	if r := (*Refusal)(nil); errors.As(err, &r) {
		return r.Status, r.Sentence
	}
	switch messages.KindOf(err) {
	case messages.ErrorKind_ERROR_KIND_UNAVAILABLE, messages.ErrorKind_ERROR_KIND_EXHAUSTED:
		return http.StatusServiceUnavailable, messages.Sentence(err)
	case messages.ErrorKind_ERROR_KIND_INVALID:
		return http.StatusBadRequest, messages.Sentence(err)
	}
	return http.StatusInternalServerError, "internal error"
}

// Fail answers err as JSON: {"error": sentence}.
func Fail(w http.ResponseWriter, err error) {
	status, sentence := StatusOf(err)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="troupe registry", charset="UTF-8"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": sentence}) // a client that is gone is told nothing
}
