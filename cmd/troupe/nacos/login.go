package nacos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// login is a token that holds for a while yet; a new one if the last was refused.
func (c *Client) login(ctx context.Context, anew bool) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && !anew && (c.until.IsZero() || time.Now().Before(c.until)) {
		return c.token, nil
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	who := url.Values{"username": {c.server.Username}, "password": {c.server.Password}}
	resp, err := c.send(ctx, call{method: http.MethodPost, path: "/v1/auth/login", params: who}, "")
	if err == nil && resp.StatusCode >= http.StatusMultipleChoices && resp.StatusCode != http.StatusForbidden {
		_ = resp.Body.Close() // a server that has no v1 any more
		resp, err = c.send(ctx, call{method: http.MethodPost, path: "/v3/auth/user/login", params: who}, "")
	}
	if err != nil {
		return "", err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return "", refused(resp, "the login")
	}
	var answer struct {
		AccessToken string
		TokenTTL    int64 // seconds
	}
	if err := decode(resp, &answer); err != nil {
		return "", err
	}
	if answer.AccessToken == "" {
		return "", fmt.Errorf("the login at %s gave no token", c.base)
	}
	c.token, c.until = answer.AccessToken, time.Time{}
	if life := time.Duration(answer.TokenTTL) * time.Second; life > 0 {
		c.until = time.Now().Add(max(life-loginSpare, life/2))
	}
	return c.token, nil
}

// Speaks is the version that the server is asked in, found out by asking.
func (c *Client) Speaks(ctx context.Context) (Version, error) {
	c.mu.Lock()
	known := c.version
	c.mu.Unlock()
	if known != Unknown {
		return known, nil
	}
	resp, err := c.do(ctx, call{method: http.MethodGet, path: "/v3/admin/core/state", open: true})
	v := V3
	if err == nil {
		_ = resp.Body.Close()
	} else {
		resp, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/console/server/state", open: true})
		if err != nil {
			return Unknown, fmt.Errorf("find out what %s speaks: %w", c.base, err)
		}
		_ = resp.Body.Close()
		v = V1
	}
	c.mu.Lock()
	c.version = v
	c.mu.Unlock()
	return v, nil
}

// refused reads what is said instead of an answer, and closes it.
func refused(resp *http.Response, path string) error {
	defer resp.Body.Close()
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxError)) // what could not be read is not said
	e := &Error{Status: resp.StatusCode, Path: path, Message: strings.Join(strings.Fields(string(raw)), " ")}
	var said struct {
		Code    int
		Message string
		Error   string
		Data    any
	}
	if json.Unmarshal(raw, &said) == nil && (said.Message != "" || said.Error != "") {
		e.Code, e.Message = said.Code, said.Message
		if e.Message == "" {
			e.Message = said.Error
		}
		if detail, ok := said.Data.(string); ok && detail != "" && detail != e.Message {
			e.Message += ": " + detail
		}
	}
	if e.Message == "" {
		e.Message = http.StatusText(e.Status)
	}
	return e
}

// decode reads an answer of JSON, and closes it.
func decode(resp *http.Response, into any) error {
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return plainly(err)
	}
	if len(raw) > maxAnswer {
		return fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("the answer is no JSON of the kind that was asked for: %w", err)
	}
	return nil
}

// text is an answer that is no JSON.
func (c *Client) text(ctx context.Context, q call) (string, error) {
	resp, err := c.do(ctx, q)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		err = fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	return string(raw), plainly(err)
}

// bare reads JSON that is wrapped in nothing.
func (c *Client) bare(ctx context.Context, q call, into any) error {
	resp, err := c.do(ctx, q)
	if err != nil {
		return err
	}
	return decode(resp, into)
}

// wrapped reads the data of a result; into nil: there is none of interest.
func (c *Client) wrapped(ctx context.Context, q call, into any) error {
	var answer struct {
		Code    int
		Message string
		Data    json.RawMessage
	}
	if err := c.bare(ctx, q, &answer); err != nil {
		return err
	}
	if answer.Code != 0 && answer.Code != http.StatusOK {
		return &Error{Status: http.StatusOK, Code: answer.Code, Message: answer.Message, Path: q.path}
	}
	if into == nil || len(answer.Data) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		return fmt.Errorf("the data of %s is not of the kind that was asked for: %w", q.path, err)
	}
	return nil
}
