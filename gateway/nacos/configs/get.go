package configs

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// Headers that are the same for all answers, and never changed.
var (
	noCache   = []string{"no-cache"}
	noStore   = []string{"no-cache,no-store"}
	longGone  = []string{time.Unix(0, 0).UTC().Format(http.TimeFormat)}
	trueValue = []string{"true"}
)

// mediaTypes are those of contents; the others are text.
var mediaTypes = map[string]string{
	"json": "application/json;charset=UTF-8", "xml": "application/xml;charset=UTF-8", "html": "text/html;charset=UTF-8",
}

// seen is what the client of r sees of a key: a gray version that is about it, or
// the formal content. With a tag among the parameters only that tag's version.
func (a *API) seen(r *api.Request, key api.Key) (*messages.ConfigContent, error) {
	m := &messages.GetConfig{ClientIp: r.ClientIP, Tag: r.Values().Text("tag")}
	if tag := r.Header.Get(config.TagLabel); tag != "" {
		m.ClientLabels = map[string]string{config.TagLabel: tag}
	}
	c, err := cluster.Ask[*messages.ConfigContent](r.Context(), a.cloud, ref(key), m)
	if errors.Is(err, messages.NotFound) {
		return nil, absent(r.Route.Form)
	}
	return c, err
}

// get answers a content: bare in v1, as a string in v2.
func (a *API) get(names api.ConfigNames) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		key, err := names.Key(r)
		if err != nil {
			return api.Answer{}, err
		}
		c, err := a.seen(r, key)
		if err != nil {
			return api.Answer{}, err
		}
		if r.Route.Form != api.Plain {
			return api.Answer{Data: c.GetContent(), Header: headers(c)}, nil
		}
		return api.Answer{Raw: []byte(c.GetContent()), Type: mediaTypes[c.GetType()], Header: headers(c)}, nil
	}
}

// headers tell about a content what a client keeps beside it.
func headers(c *messages.ConfigContent) http.Header {
	h := http.Header{
		"Config-Type": {c.GetType()}, "Content-Md5": {c.GetMd5()},
		"Last-Modified": {time.Unix(0, c.GetModifiedAt()).UTC().Format(http.TimeFormat)},
		"Pragma":        noCache, "Expires": longGone, "Cache-Control": noStore,
	}
	if key := c.GetEncryptedDataKey(); key != "" {
		h["Encrypted-Data-Key"] = []string{headerSafe(key)}
	}
	switch gray := c.GetGray(); gray.GetType() {
	case config.BetaType:
		h["Isbeta"] = trueValue
	case config.TagType:
		tag := []string{url.QueryEscape(gray.GetExpression())}
		h["Tag"], h[config.TagLabel] = tag, tag
	}
	return h
}

// headerSafe keeps what a client has stored from ending the header that it is in;
// net/http would do so too, and this says how.
func headerSafe(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return url.QueryEscape(s)
		}
	}
	return s
}

// query answers a client of v3.
func (a *API) query(r *api.Request) (api.Answer, error) {
	key, err := api.ConfigV3.Key(r)
	if err != nil {
		return api.Answer{}, err
	}
	c, err := a.seen(r, key)
	if err != nil {
		return api.Answer{}, err
	}
	q := wire.ConfigQueryResult{
		ResultCode: http.StatusOK, Success: true, Content: c.GetContent(), EncryptedDataKey: c.GetEncryptedDataKey(),
		ContentType: c.GetType(), MD5: c.GetMd5(), LastModified: millis(c.GetModifiedAt()),
	}
	switch gray := c.GetGray(); gray.GetType() {
	case config.BetaType:
		q.Beta = true
	case config.TagType:
		q.Tag = &gray.Expression
	}
	return api.Answer{Data: q}, nil
}

// millis are Unix milliseconds of Unix nanoseconds.
func millis(ns int64) int64 { return ns / int64(time.Millisecond) }
