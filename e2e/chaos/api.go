package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// callTimeout is how long a user waits for one answer.
const callTimeout = 8 * time.Second

// errUnknown is an answer that does not say whether anything was done: none at
// all, or one of 500 and more.
var errUnknown = errors.New("not known whether it was done")

// refused is an answer from 400 to 499: nothing was done.
type refused struct {
	status int
	body   string
}

func (r refused) Error() string { return fmt.Sprintf("status %d: %s", r.status, r.body) }

func isRefused(err error, status int) bool {
	var r refused
	return errors.As(err, &r) && r.status == status
}

// call sends a request to one node and reads the answer into out.
func (c *cloud) call(ctx context.Context, node int, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://%s:%d%s", c.nodes[node].IP, apiPort, path), body)
	if err != nil {
		return err
	}
	req.Header.Set("X-Auth-Token", c.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("OpenStack-API-Version", "compute 2.73")
	raw, err := c.send(req)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

// send sends a request and returns what was answered, if that is good.
func (c *cloud) send(req *http.Request) ([]byte, error) {
	answer, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnknown, err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	switch {
	case answer.StatusCode >= 500:
		return nil, fmt.Errorf("%w: status %d: %.200s", errUnknown, answer.StatusCode, raw)
	case answer.StatusCode >= 400:
		return nil, refused{answer.StatusCode, fmt.Sprintf("%.200s", raw)}
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errUnknown, err)
	}
	return raw, nil
}

// credentials are those that the first node has written.
type credentials struct {
	Username  string `json:"username"`
	Password  string `json:"password"`
	ProjectID string `json:"project_id"`
}

func (c *cloud) credentials() (who credentials, err error) {
	raw, err := os.ReadFile(filepath.Join(c.dir, c.nodes[0].Name, "credentials.json"))
	if err != nil {
		return who, err
	}
	err = json.Unmarshal(raw, &who)
	return who, err
}

// login gets a token.
func (c *cloud) login(ctx context.Context) error {
	who, err := c.credentials()
	if err != nil {
		return err
	}
	c.project = who.ProjectID
	ask := fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":%q,"password":%q,"domain":{"id":"default"}}}},"scope":{"project":{"id":%q}}}}`,
		who.Username, who.Password, who.ProjectID)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://%s:%d/identity/v3/auth/tokens", c.nodes[0].IP, apiPort), strings.NewReader(ask))
	if err != nil {
		return err
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if c.token = answer.Header.Get("X-Subject-Token"); c.token == "" {
		return fmt.Errorf("login: status %d", answer.StatusCode)
	}
	return nil
}

// server is what the users look at.
type server struct {
	ID     string
	Name   string
	Status string
	Task   string `json:"OS-EXT-STS:task_state"`
	Fault  struct{ Message string }
}

func (c *cloud) create(ctx context.Context, node int, name, image string) (string, error) {
	var answer struct{ Server struct{ ID string } }
	err := c.call(ctx, node, http.MethodPost, "/compute/v2.1/servers", map[string]any{"server": map[string]any{
		"name": name, "imageRef": image, "flavorRef": "t1.nano", "networks": "auto",
	}}, &answer)
	return answer.Server.ID, err
}

func (c *cloud) show(ctx context.Context, node int, id string) (server, error) {
	var answer struct{ Server server }
	err := c.call(ctx, node, http.MethodGet, "/compute/v2.1/servers/"+id, nil, &answer)
	return answer.Server, err
}

func (c *cloud) remove(ctx context.Context, node int, id string) error {
	return c.call(ctx, node, http.MethodDelete, "/compute/v2.1/servers/"+id, nil, nil)
}

func (c *cloud) act(ctx context.Context, node int, id, action string) error {
	return c.call(ctx, node, http.MethodPost, "/compute/v2.1/servers/"+id+"/action", map[string]any{action: nil}, nil)
}

// action is one entry of a server's history.
type action struct {
	Action  string
	Message string // why it has failed; "" if it has not
	Started string `json:"start_time"`
	Updated string `json:"updated_at"`
}

// actions are the history of a server, the newest first.
func (c *cloud) actions(ctx context.Context, node int, id string) (all []action, err error) {
	var answer struct{ InstanceActions []action }
	err = c.call(ctx, node, http.MethodGet, "/compute/v2.1/servers/"+id+"/os-instance-actions", nil, &answer)
	return answer.InstanceActions, err
}

// lastFailed says whether the newest action on a server has failed.
func (c *cloud) lastFailed(ctx context.Context, node int, id string) bool {
	all, err := c.actions(ctx, node, id)
	return err == nil && len(all) > 0 && all[0].Message != ""
}

// history is for people to read.
func (c *cloud) history(ctx context.Context, node int, id string) string {
	all, err := c.actions(ctx, node, id)
	return fmt.Sprintf("%+v %v", all, err)
}

// list reads every page.
func (c *cloud) list(ctx context.Context, node int) (all []server, err error) {
	marker := ""
	for {
		var page struct{ Servers []server }
		if err := c.call(ctx, node, http.MethodGet, "/compute/v2.1/servers/detail?limit=200"+marker, nil, &page); err != nil {
			return nil, err
		}
		if len(page.Servers) == 0 {
			return all, nil
		}
		all = append(all, page.Servers...)
		marker = "&marker=" + all[len(all)-1].ID
	}
}

// image uploads an empty disk.
func (c *cloud) image(ctx context.Context) (string, error) {
	var i struct{ ID string }
	if err := c.call(ctx, 0, http.MethodPost, "/image/v2/images",
		map[string]any{"name": "empty", "disk_format": "raw", "container_format": "bare", "visibility": "public"}, &i); err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut,
		fmt.Sprintf("http://%s:%d/image/v2/images/%s/file", c.nodes[0].IP, apiPort, i.ID), bytes.NewReader(make([]byte, 1<<20)))
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Auth-Token", c.token)
	req.Header.Set("Content-Type", "application/octet-stream")
	answer, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		return "", fmt.Errorf("upload: status %d", answer.StatusCode)
	}
	return i.ID, nil
}

// quota sets and reads how many servers the users may have.
func (c *cloud) setQuota(ctx context.Context, instances int) error {
	return c.call(ctx, 0, http.MethodPut, "/compute/v2.1/os-quota-sets/"+c.project,
		map[string]any{"quota_set": map[string]any{"instances": instances, "cores": -1, "ram": -1}}, nil)
}

func (c *cloud) inUse(ctx context.Context, node int) (int, error) {
	var answer struct {
		QuotaSet struct {
			Instances struct {
				InUse int `json:"in_use"`
			}
		} `json:"quota_set"`
	}
	err := c.call(ctx, node, http.MethodGet, "/compute/v2.1/os-quota-sets/"+c.project+"/detail", nil, &answer)
	return answer.QuotaSet.Instances.InUse, err
}

// onHosts is how many machines the hypervisors have, and their memory in MiB.
func (c *cloud) onHosts(ctx context.Context, node int) (running, ram int, err error) {
	var answer struct {
		Hypervisors []struct {
			RunningVMs int `json:"running_vms"`
			RAM        int `json:"memory_mb_used"`
			State      string
		}
	}
	err = c.call(ctx, node, http.MethodGet, "/compute/v2.1/os-hypervisors/detail", nil, &answer)
	up := 0
	for _, h := range answer.Hypervisors {
		running, ram = running+h.RunningVMs, ram+h.RAM
		if h.State == "up" {
			up++
		}
	}
	if err == nil && up != members*simHosts {
		err = fmt.Errorf("%d of %d hosts are up", up, members*simHosts)
	}
	return running, ram, err
}

// ports is how many ports servers have.
func (c *cloud) ports(ctx context.Context, node int) (int, error) {
	var answer struct {
		Ports []struct {
			DeviceID string `json:"device_id"`
		}
	}
	err := c.call(ctx, node, http.MethodGet, "/network/v2.0/ports", nil, &answer)
	n := 0
	for _, p := range answer.Ports {
		if p.DeviceID != "" {
			n++
		}
	}
	return n, err
}
