package balancer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// maxListFile bounds a file of endpoints, in bytes.
const maxListFile = 16 << 20

// File reads lists from a file in JSON, again whenever it has changed:
//
//	{"service-a": [{"Host": "10.0.0.1", "Port": 80, "Weight": 1}]}
//
// or, shorter, {"service-a": ["10.0.0.1:80"]}.
type File struct {
	Path  string
	Every time.Duration // between two looks; 0: 1 s
}

// Watch implements Source.
func (f File) Watch(ctx context.Context, service string, update func([]Endpoint)) error {
	every := f.Every
	if every <= 0 {
		every = time.Second
	}
	var last []byte
	for {
		raw, err := f.read()
		if err != nil {
			return err
		}
		if last == nil || !bytes.Equal(raw, last) {
			list, err := parseLists(raw)
			if err != nil {
				return fmt.Errorf("%s: %w", f.Path, err)
			}
			update(list[service])
			last = raw
		}
		if !pauseFor(ctx, every) {
			return ctx.Err()
		}
	}
}

func (f File) read() ([]byte, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(file, maxListFile))
}

// parseLists reads the file's form.
func parseLists(raw []byte) (map[string][]Endpoint, error) {
	var services map[string][]json.RawMessage
	if err := json.Unmarshal(raw, &services); err != nil {
		return nil, err
	}
	lists := make(map[string][]Endpoint, len(services))
	for name, items := range services {
		for _, item := range items {
			e, err := parseItem(item)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			lists[name] = append(lists[name], e)
		}
	}
	return lists, nil
}

func parseItem(raw json.RawMessage) (Endpoint, error) {
	if strings.HasPrefix(strings.TrimSpace(string(raw)), `"`) {
		var address string
		if err := json.Unmarshal(raw, &address); err != nil {
			return Endpoint{}, err
		}
		return ParseEndpoint(address)
	}
	e := Endpoint{Weight: 1}
	err := json.Unmarshal(raw, &e)
	return e, err
}
