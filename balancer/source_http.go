package balancer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxAnswer bounds what a registry may answer, in bytes.
const maxAnswer = 64 << 20

// registry is a server that is asked over HTTP: one of several addresses, another
// one when it fails.
type registry struct {
	bases  []string
	client *http.Client
	user   string
	pass   string
	header http.Header

	mu sync.Mutex
	at int
}

func newRegistry(servers []string, client *http.Client) (*registry, error) {
	r := &registry{client: client, header: http.Header{}}
	if r.client == nil {
		r.client = &http.Client{}
	}
	for _, s := range servers {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("the registry %.80q is no URL of HTTP", s)
		}
		r.bases = append(r.bases, strings.TrimSuffix(s, "/"))
	}
	if len(r.bases) == 0 {
		return nil, errors.New("a registry needs an address")
	}
	return r, nil
}

// errStatus is an answer that is none.
type errStatus int

func (e errStatus) Error() string { return fmt.Sprintf("the registry answered %d", int(e)) }

// get asks the servers in turn until one answers; into is filled from JSON. It says
// what the answer's headers were.
func (r *registry) get(ctx context.Context, path string, into any) (http.Header, error) {
	first := r.first()
	var all []error
	for i := range r.bases {
		at := (first + i) % len(r.bases)
		h, err := r.ask(ctx, r.bases[at]+path, into)
		var status errStatus
		if err == nil || errors.As(err, &status) && status < 500 && status != http.StatusTooManyRequests {
			r.prefer(at)
			return h, err
		}
		if all = append(all, err); ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(all...)
}

// first is the server that is asked first.
func (r *registry) first() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func (r *registry) prefer(at int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = at
}

func (r *registry) ask(ctx context.Context, address string, into any) (http.Header, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	q.Header = r.header.Clone()
	q.Header.Set("Accept", "application/json")
	if r.user != "" {
		q.SetBasicAuth(r.user, r.pass)
	}
	resp, err := r.client.Do(q)
	if err != nil {
		return nil, hidden(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusOK {
		return nil, errStatus(resp.StatusCode)
	}
	return resp.Header, json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
}

// hidden is err without its URL, which may carry a token.
func hidden(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return fmt.Errorf("%s: %w", u.Op, u.Err)
	}
	return err
}

// Consul asks Consul's health API, by blocking queries, so that changes are pushed.
// Source: Consul's HTTP API, /v1/health/service/:service.
type Consul struct {
	Servers    []string // e.g. http://127.0.0.1:8500
	Token      string
	Datacenter string
	ZoneKey    string // of the service's or the node's metadata that is the zone; "": zone
	Client     *http.Client
}

// consulWait is how long Consul may keep a question.
const consulWait = 5 * time.Minute

type consulEntry struct {
	Node struct {
		Address    string
		Datacenter string
		Meta       map[string]string
	}
	Service struct {
		ID, Address string
		Port        int
		Weights     struct{ Passing, Warning float64 }
		Meta        map[string]string
	}
	Checks []struct{ Status string }
}

// Watch implements Source.
func (c *Consul) Watch(ctx context.Context, service string, update func([]Endpoint)) error {
	r, err := newRegistry(c.Servers, c.Client)
	if err != nil {
		return err
	}
	if c.Token != "" {
		r.header.Set("X-Consul-Token", c.Token)
	}
	for index := "0"; ; {
		q := url.Values{"index": {index}, "wait": {consulWait.String()}}
		if c.Datacenter != "" {
			q.Set("dc", c.Datacenter)
		}
		var entries []consulEntry
		one, cancel := context.WithTimeout(ctx, consulWait+consulWait/8)
		h, err := r.get(one, "/v1/health/service/"+url.PathEscape(service)+"?"+q.Encode(), &entries)
		cancel()
		if err != nil {
			return err
		}
		list := make([]Endpoint, 0, len(entries))
		for i := range entries {
			list = append(list, c.endpoint(&entries[i]))
		}
		update(list)
		next := h.Get("X-Consul-Index")
		if next == "" || next == "0" {
			return errors.New("what answers is not Consul: it sends no index")
		}
		index = next
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (c *Consul) endpoint(e *consulEntry) Endpoint {
	out := Endpoint{ID: e.Service.ID, Host: e.Service.Address, Port: e.Service.Port, Weight: 1, Metadata: e.Service.Meta}
	if out.Host == "" {
		out.Host = e.Node.Address
	}
	key := c.ZoneKey
	if key == "" {
		key = "zone"
	}
	if out.Zone = e.Service.Meta[key]; out.Zone == "" {
		out.Zone = e.Node.Meta[key]
	}
	if w := e.Service.Weights.Passing; w > 0 {
		out.Weight = w
	}
	for _, check := range e.Checks {
		switch check.Status {
		case "critical", "maintenance":
			out.Down = true
		case "warning":
			if w := e.Service.Weights.Warning; w > 0 {
				out.Weight = w
			}
		}
	}
	return out
}
