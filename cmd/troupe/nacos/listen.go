package nacos

import (
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The signs of a long poll's probes.
const (
	wordSign = "\x02"
	lineSign = "\x01"
)

// Probe is a config and the MD5 of what somebody has of it; empty: nothing.
type Probe struct {
	Key
	MD5 string
}

// Listen waits until one of probes differs from what the server has, at most for
// wait, and says which; none: the time is over.
func (c *Client) Listen(ctx context.Context, probes []Probe, wait time.Duration) ([]Key, error) {
	var asked strings.Builder
	for _, p := range probes {
		asked.WriteString(p.DataID + wordSign + p.Group + wordSign + p.MD5)
		if ns := tenant(p.Namespace); ns != "" {
			asked.WriteString(wordSign + ns)
		}
		asked.WriteString(lineSign)
	}
	text, err := c.text(ctx, call{
		method: http.MethodPost, path: configsV1 + "/listener", params: url.Values{"Listening-Configs": {asked.String()}},
		header: http.Header{"Long-Pulling-Timeout": {strconv.FormatInt(wait.Milliseconds(), 10)}}, slow: true,
	})
	if err != nil {
		return nil, err
	}
	text, err = url.QueryUnescape(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("the answer of a long poll cannot be read: %w", err)
	}
	var changed []Key
	for line := range strings.SplitSeq(text, lineSign) {
		words := strings.Split(line, wordSign)
		if len(words) < 2 {
			continue
		}
		k := Key{DataID: words[0], Group: words[1]}
		if len(words) > 2 {
			k.Namespace = words[2]
		}
		changed = append(changed, k)
	}
	return changed, nil
}

// Export writes an archive of the configs that f says.
func (c *Client) Export(ctx context.Context, f Filter, to io.Writer) error {
	v, err := c.Speaks(ctx)
	if err != nil {
		return err
	}
	p := v.key(Key{f.Namespace, f.Group, f.DataID})
	p.Set("appName", f.App)
	q := call{method: http.MethodGet, path: configsV1, params: p, slow: true}
	if v == V3 {
		q.path = configV3 + "/export"
	} else {
		p.Set("exportV2", "true")
	}
	resp, err := c.do(ctx, q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); strings.Contains(kind, "json") {
		return refused(resp, q.path)
	}
	_, err = io.Copy(to, resp.Body)
	return plainly(err)
}

// Imported is what became of an archive.
type Imported struct {
	Succeeded int `json:"succCount"`
	Skipped   int `json:"skipCount"`
	Failed    []struct {
		DataID string `json:"dataId"`
		Group  string `json:"group"`
	} `json:"failData,omitempty"`
}

// Import publishes what is in an archive of at most a few hundred MiB. Policy is
// ABORT, SKIP or OVERWRITE: what to do with configs that are there.
func (c *Client) Import(ctx context.Context, ns, policy string, archive io.Reader) (Imported, error) {
	var done Imported
	v, err := c.Speaks(ctx)
	if err != nil {
		return done, err
	}
	read, write := io.Pipe()
	form := multipart.NewWriter(write)
	go func() { // ends when the request does: it closes read
		part, err := form.CreateFormFile("file", "configs.zip")
		if err == nil {
			_, err = io.Copy(part, archive)
		}
		if err == nil {
			err = form.Close()
		}
		write.CloseWithError(err)
	}()
	defer read.Close()
	q := call{method: http.MethodPost, body: read, kind: form.FormDataContentType(), slow: true, params: url.Values{"policy": {policy}}}
	if v == V3 {
		q.path = configV3 + "/import"
		q.params.Set("namespaceId", ns)
	} else {
		q.path = configsV1
		q.params.Set("import", "true")
		q.params.Set("namespace", tenant(ns))
	}
	err = c.wrapped(ctx, q, &done)
	return done, err
}
