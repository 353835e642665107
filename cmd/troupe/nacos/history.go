package nacos

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Change is a row of a config's history, as Nacos keeps it: that of an insert holds
// what was inserted, that of an update or a removal what there was before.
type Change struct {
	Key
	ID        string    `json:"id"`
	Operation string    `json:"operation"` // I, U, D
	Gray      string    `json:"gray,omitempty"`
	MD5       string    `json:"md5,omitempty"`
	Content   string    `json:"content,omitempty"` // not in lists
	DataKey   string    `json:"encryptedDataKey,omitempty"`
	App       string    `json:"app,omitempty"`
	User      string    `json:"user,omitempty"`
	IP        string    `json:"ip,omitempty"`
	At        time.Time `json:"at"`
}

// rawChange is a row in the words of every version.
type rawChange struct {
	ID                                            json.RawMessage // a text or a number
	DataID, Group, GroupName                      string
	MD5, Content, EncryptedDataKey, AppName       string
	SrcIP, SrcUser, OpType, PublishType, GrayName string
	CreatedTime, LastModifiedTime                 json.RawMessage // v1: a text of a time
	CreateTime, ModifyTime                        int64           // v3: Unix milliseconds
}

func (r rawChange) change(k Key) Change {
	c := Change{
		Key: k, ID: strings.Trim(string(r.ID), `"`), Operation: strings.TrimSpace(r.OpType), Gray: r.GrayName, MD5: r.MD5,
		Content: r.Content, DataKey: r.EncryptedDataKey, App: r.AppName, User: strings.TrimSpace(r.SrcUser), IP: r.SrcIP,
	}
	if c.Gray == "" && r.PublishType == "gray" {
		c.Gray = "gray"
	}
	if r.ModifyTime > 0 {
		c.At = time.UnixMilli(r.ModifyTime)
	} else {
		c.At = anyTime(r.LastModifiedTime)
	}
	return c
}

// anyTime reads the forms that servers of 1.x and 2.x give a time; zero if it is of
// none of them.
func anyTime(raw json.RawMessage) time.Time {
	var ms int64
	if json.Unmarshal(raw, &ms) == nil && ms > 0 {
		return time.UnixMilli(ms)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000-0700", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}

const (
	historyV1 = "/v1/cs/history"
	historyV3 = "/v3/admin/cs/history"
)

// History is a page of a config's history, newest first, and how many rows there are.
func (c *Client) History(ctx context.Context, k Key, number, size int) ([]Change, int, error) {
	v, err := c.Speaks(ctx)
	if err != nil {
		return nil, 0, err
	}
	var answer page[rawChange]
	p := paged(v.key(k), number, size)
	if v == V3 {
		err = c.wrapped(ctx, call{method: http.MethodGet, path: historyV3 + "/list", params: p}, &answer)
	} else {
		p.Set("search", "accurate")
		err = c.bare(ctx, call{method: http.MethodGet, path: historyV1, params: p}, &answer)
	}
	all := make([]Change, len(answer.PageItems))
	for i, r := range answer.PageItems {
		all[i] = r.change(k)
	}
	return all, answer.TotalCount, err
}

// Change is one row with its content.
func (c *Client) Change(ctx context.Context, k Key, id string) (Change, error) {
	v, err := c.Speaks(ctx)
	if err != nil {
		return Change{}, err
	}
	var r rawChange
	p := v.key(k)
	p.Set("nid", id)
	if v == V3 {
		err = c.wrapped(ctx, call{method: http.MethodGet, path: historyV3, params: p}, &r)
	} else {
		err = c.bare(ctx, call{method: http.MethodGet, path: historyV1, params: p}, &r)
	}
	if err == nil && len(r.ID) == 0 {
		err = &Error{Status: http.StatusNotFound, Message: "the history has no row " + id, Path: historyV1}
	}
	return r.change(k), err
}

// Namespace is a namespace; the public one has the id "public".
type Namespace struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// Namespaces are all of them.
func (c *Client) Namespaces(ctx context.Context) ([]Namespace, error) {
	v, err := c.Speaks(ctx)
	if err != nil {
		return nil, err
	}
	path := "/v1/console/namespaces"
	if v == V3 {
		path = "/v3/admin/core/namespace/list"
	}
	var answer []struct{ Namespace, NamespaceShowName, NamespaceDesc string }
	if err := c.wrapped(ctx, call{method: http.MethodGet, path: path}, &answer); err != nil {
		return nil, err
	}
	all := make([]Namespace, len(answer))
	for i, n := range answer {
		all[i] = Namespace{n.Namespace, n.NamespaceShowName, n.NamespaceDesc}
		if n.Namespace == "" {
			all[i].ID = "public"
		}
	}
	return all, nil
}

// CreateNamespace makes a namespace.
func (c *Client) CreateNamespace(ctx context.Context, n Namespace) error {
	v, err := c.Speaks(ctx)
	if err != nil {
		return err
	}
	p := url.Values{"customNamespaceId": {n.ID}, "namespaceName": {n.Name}, "namespaceDesc": {n.Description}}
	if v == V3 {
		return c.wrapped(ctx, call{method: http.MethodPost, path: "/v3/admin/core/namespace", params: p}, nil)
	}
	return c.said(ctx, call{method: http.MethodPost, path: "/v1/console/namespaces", params: p}, "true")
}
