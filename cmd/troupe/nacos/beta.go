package nacos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Beta is the gray version of a config that some addresses see.
type Beta struct {
	Config
	IPs string `json:"ips"` // by commas
}

// Beta is the one of a config; NotFound if it has none. Versions for tags are shown
// by no version of Nacos to who does not know the tag.
func (c *Client) Beta(ctx context.Context, k Key) (Beta, error) {
	v, err := c.Speaks(ctx)
	if err != nil {
		return Beta{}, err
	}
	var answer struct {
		rawConfig
		BetaIPs, GrayRule string
	}
	q := call{method: http.MethodGet, path: configsV1, params: v.key(k)}
	if v == V3 {
		q.path = configV3 + "/beta"
	} else {
		q.params.Set("beta", "true")
	}
	if err := c.wrapped(ctx, q, &answer); err != nil {
		return Beta{}, err
	}
	if v == V3 && answer.GrayRule != "" {
		var rule struct{ Expr string }
		if err := json.Unmarshal([]byte(answer.GrayRule), &rule); err != nil {
			return Beta{}, fmt.Errorf("the rule of the beta of %s: %w", k.DataID, err)
		}
		answer.BetaIPs = rule.Expr
	}
	if answer.BetaIPs == "" {
		return Beta{}, &Error{Status: http.StatusNotFound, Message: "config is not in beta", Path: q.path}
	}
	b := Beta{Config: answer.config(k.Namespace), IPs: answer.BetaIPs}
	b.Key = k
	return b, nil
}

// PublishBeta stores a content for some addresses.
func (c *Client) PublishBeta(ctx context.Context, b Beta) error {
	v, err := c.Speaks(ctx)
	if err != nil {
		return err
	}
	q := call{method: http.MethodPost, path: configsV1, params: v.key(b.Key), header: http.Header{"Betaips": {b.IPs}}}
	q.params.Set("content", b.Content)
	for name, value := range map[string]string{"type": b.Type, "encryptedDataKey": b.DataKey} {
		if value != "" {
			q.params.Set(name, value)
		}
	}
	if v == V3 {
		q.path = configV3
		return c.wrapped(ctx, q, nil)
	}
	return c.said(ctx, q, "true")
}
