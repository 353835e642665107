package nacos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Key names a config.
type Key struct {
	Namespace string `json:"namespace"` // "" or public
	Group     string `json:"group"`
	DataID    string `json:"dataId"`
}

// Config is a config as it is shown. Lists leave out what they do not know.
type Config struct {
	Key
	Content     string `json:"content,omitempty"`
	MD5         string `json:"md5,omitempty"`
	Type        string `json:"type,omitempty"`
	App         string `json:"app,omitempty"`
	Description string `json:"description,omitempty"`
	Tags        string `json:"tags,omitempty"` // by commas
	DataKey     string `json:"encryptedDataKey,omitempty"`
	CreatedBy   string `json:"createdBy,omitempty"`
	CreatedAt   int64  `json:"createdAt,omitempty"` // Unix milliseconds
	ModifiedAt  int64  `json:"modifiedAt,omitempty"`
	Use         string `json:"use,omitempty"`    // v1 only
	Effect      string `json:"effect,omitempty"` // v1 only
	Schema      string `json:"schema,omitempty"` // v1 only
}

// rawConfig is a config in the words of every version.
type rawConfig struct {
	DataID, Group, GroupName, Tenant, NamespaceID     string
	Content, MD5, Type, AppName, EncryptedDataKey     string
	Desc, ConfigTags, CreateUser, Use, Effect, Schema string
	CreateTime, ModifyTime                            int64
}

func (r rawConfig) config(ns string) Config {
	group := r.Group
	if group == "" {
		group = r.GroupName
	}
	return Config{
		Key: Key{ns, group, r.DataID}, Content: r.Content, MD5: r.MD5, Type: r.Type, App: r.AppName, Description: r.Desc,
		Tags: r.ConfigTags, DataKey: r.EncryptedDataKey, CreatedBy: r.CreateUser, CreatedAt: r.CreateTime, ModifiedAt: r.ModifyTime,
		Use: r.Use, Effect: r.Effect, Schema: r.Schema,
	}
}

// page is a page of anything.
type page[T any] struct {
	TotalCount int
	PageItems  []T
}

const (
	configsV1 = "/v1/cs/configs"
	configV3  = "/v3/admin/cs/config"
)

// key are the parameters that name a config.
func (v Version) key(k Key) url.Values {
	if v == V3 {
		return url.Values{"namespaceId": {k.Namespace}, "groupName": {k.Group}, "dataId": {k.DataID}}
	}
	return url.Values{"tenant": {tenant(k.Namespace)}, "group": {k.Group}, "dataId": {k.DataID}}
}

// tenant is how v1 calls a namespace.
func tenant(ns string) string {
	if ns == "public" {
		return ""
	}
	return ns
}

func paged(p url.Values, number, size int) url.Values {
	p.Set("pageNo", strconv.Itoa(number))
	p.Set("pageSize", strconv.Itoa(size))
	return p
}

// Filter says which configs are listed; in group, data id and app an asterisk stands
// for any text, and empty is all.
type Filter struct{ Namespace, Group, DataID, App, Tags, Type string }

// Configs is a page of configs, and how many there are in all. The first page is 1.
func (c *Client) Configs(ctx context.Context, f Filter, number, size int) ([]Config, int, error) {
	v, err := c.Speaks(ctx)
	if err != nil {
		return nil, 0, err
	}
	p := paged(v.key(Key{f.Namespace, f.Group, f.DataID}), number, size)
	p.Set("search", "blur")
	p.Set("appName", f.App)
	var answer page[rawConfig]
	if v == V3 {
		p.Set("configTags", f.Tags)
		p.Set("type", f.Type)
		err = c.wrapped(ctx, call{method: http.MethodGet, path: configV3 + "/list", params: p}, &answer)
	} else {
		p.Set("config_tags", f.Tags)
		p.Set("types", f.Type)
		err = c.bare(ctx, call{method: http.MethodGet, path: configsV1, params: p}, &answer)
	}
	all := make([]Config, len(answer.PageItems))
	for i, r := range answer.PageItems {
		all[i] = r.config(f.Namespace)
	}
	return all, answer.TotalCount, err
}

// Config is one config with all that is known of it.
func (c *Client) Config(ctx context.Context, k Key) (Config, error) {
	v, err := c.Speaks(ctx)
	if err != nil {
		return Config{}, err
	}
	var r rawConfig
	if v == V3 {
		err = c.wrapped(ctx, call{method: http.MethodGet, path: configV3, params: v.key(k)}, &r)
	} else {
		p := v.key(k)
		p.Set("show", "all")
		err = c.bare(ctx, call{method: http.MethodGet, path: configsV1, params: p}, &r)
	}
	if err == nil && r.DataID == "" {
		err = &Error{Status: http.StatusNotFound, Message: "config data not exist", Path: configsV1}
	}
	return r.config(k.Namespace), err
}

// Publish stores a config with its content and all its labels. cas is the MD5 of
// the content that is to be replaced; empty: whatever it is.
func (c *Client) Publish(ctx context.Context, k Config, cas, user string) error {
	v, err := c.Speaks(ctx)
	if err != nil {
		return err
	}
	p := v.key(k.Key)
	for name, value := range map[string]string{
		"content": k.Content, "type": k.Type, "appName": k.App, "desc": k.Description, "encryptedDataKey": k.DataKey,
		"use": k.Use, "effect": k.Effect, "schema": k.Schema, "config_tags": k.Tags, "configTags": k.Tags, "src_user": user, "srcUser": user,
	} {
		if value != "" {
			p.Set(name, value)
		}
	}
	q := call{method: http.MethodPost, path: configsV1, params: p}
	if cas != "" {
		q.header = http.Header{"Casmd5": {cas}}
	}
	if v == V3 {
		q.path = configV3
		return c.wrapped(ctx, q, nil)
	}
	return c.said(ctx, q, "true")
}

// said is an answer that has to be one word.
func (c *Client) said(ctx context.Context, q call, want string) error {
	text, err := c.text(ctx, q)
	if err == nil && strings.TrimSpace(text) != want {
		err = fmt.Errorf("%s answers %.200q, not %q", q.path, text, want)
	}
	return err
}

// Remove removes a config; what is absent is no error.
func (c *Client) Remove(ctx context.Context, k Key) error {
	v, err := c.Speaks(ctx)
	if err != nil {
		return err
	}
	if v == V3 {
		return c.wrapped(ctx, call{method: http.MethodDelete, path: configV3, params: v.key(k)}, nil)
	}
	return c.said(ctx, call{method: http.MethodDelete, path: configsV1, params: v.key(k)}, "true")
}
