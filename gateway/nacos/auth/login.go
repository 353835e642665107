package auth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// loginView is the answer to a login; never wrapped, in no version.
type loginView struct {
	Token    string `json:"accessToken"`
	TTL      int64  `json:"tokenTtl"` // seconds
	Admin    bool   `json:"globalAdmin"`
	Username string `json:"username"`
}

// login is open to everybody. Every wrong one is answered the same.
func (a *Auth) login(r *api.Request) (api.Answer, error) {
	v := r.Values()
	name, password := v.Text(paramUsername), v.Text(paramPassword)
	raw, s, err := a.Login(r.Context(), name, password)
	if errors.Is(err, messages.Denied) {
		a.cfg.Log.Info().Str("of", api.Short(name)).Str("client", r.ClientIP).Str("request", r.ID).Msg("login refused")
		err = api.Text(http.StatusForbidden, "unknown user!")
	}
	if err != nil {
		return api.Answer{}, err
	}
	return api.Answer{
		Bare:   loginView{raw, int64(TokenLife / time.Second), s.Admin, s.Name},
		Header: http.Header{"Authorization": {"Bearer " + raw}},
	}, nil
}

const (
	paramUsername = "username"
	paramPassword = "password"
)

// Login makes a token of a name and a password. Denied if they do not fit.
func (a *Auth) Login(ctx context.Context, name, password string) (token string, user *api.User, err error) {
	if name == "" || password == "" || len(password) > api.MaxPassword*4 {
		return "", nil, errNobody
	}
	s, err := a.byPassword(ctx, name, password)
	if err != nil {
		return "", nil, err
	}
	id, secret, err := a.cfg.Keys.Derive(ctx, keyPurpose)
	if err != nil {
		return "", nil, err
	}
	// The password was right when that was looked at, not now: it may have been
	// changed in between, and must end this token then.
	c := newClaims(s.user.Name, s.claims.UserID, a.cfg.Now(), TokenLife)
	c.Nanos = s.claims.Nanos
	token, err = sign(c, id, secret)
	return token, s.user, err
}

// newClaims are those of a user who proved at begun who he is.
func newClaims(name, id string, begun time.Time, life time.Duration) claims {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	return claims{
		Subject: name, UserID: id, Issued: begun.Unix(), Nanos: begun.UnixNano(), Expires: begun.Add(life).Unix(),
		ID: hex.EncodeToString(raw),
	}
}
