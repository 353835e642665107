package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const (
	registryPort = 8848
	configs      = 3 // keys, each with one register at a time
)

// configKey is a config as a register: what is published is read until something
// else is.
type configKey struct {
	c    *cloud
	name string
}

func (k configKey) String() string { return k.name }

func (k configKey) form(key string) url.Values {
	return url.Values{"dataId": {k.name + "." + key}, "group": {"CHAOS"}}
}

func (k configKey) write(ctx context.Context, node int, key, value string) error {
	form := k.form(key)
	form.Set("content", value)
	said, err := k.c.registry(ctx, node, http.MethodPost, "/v1/cs/configs", form)
	if err == nil && said != "true" {
		err = fmt.Errorf("a publish was answered %q", said)
	}
	return err
}

func (k configKey) read(ctx context.Context, node int, key string) (string, error) {
	return k.c.registry(ctx, node, http.MethodGet, "/v1/cs/configs?"+k.form(key).Encode(), nil)
}

// registry sends a form to a node's registry, and returns what it said.
func (c *cloud) registry(ctx context.Context, node int, method, path string, form url.Values) (string, error) {
	base := fmt.Sprintf("http://%s:%d/nacos", c.nodes[node].IP, registryPort)
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.registryToken != "" {
		req.Header.Set("Authorization", "Bearer "+c.registryToken)
	}
	raw, err := c.send(req)
	return string(raw), err
}

// enter logs in to the registry.
func (c *cloud) enter(ctx context.Context) error {
	who, err := c.credentials()
	if err != nil {
		return err
	}
	said, err := c.registry(ctx, 0, http.MethodPost, "/v1/auth/login", url.Values{"username": {who.Username}, "password": {who.Password}})
	if err != nil {
		return err
	}
	var answer struct {
		Token string `json:"accessToken"`
	}
	if err := json.Unmarshal([]byte(said), &answer); err != nil {
		return err
	}
	if c.registryToken = answer.Token; c.registryToken == "" {
		return errors.New("the registry gave no token")
	}
	return nil
}
