package balancer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Troupe asks Troupe's registry, which answers when something has changed: a server
// that comes or goes is known within milliseconds. Where one node of the registry
// fails, the next is asked at once.
type Troupe struct {
	Servers   []string // e.g. http://127.0.0.1:8848
	Namespace string   // "": public
	Group     string   // "": DEFAULT_GROUP; a service GROUP@@NAME has its own
	User      string
	Password  string
	Token     string // an access token, instead of a user
	Client    *http.Client

	mu    sync.Mutex
	login string // the token of User
}

// Times of Troupe.
const (
	troupeWait  = 10 * time.Second // for which a question may wait for a change
	troupeTime  = 5 * time.Second  // for an answer beyond that; then another server is asked
	loginLimit  = 64 << 10         // bytes of an answer to a login
	troupeFloor = 10 * time.Millisecond
)

type troupeList struct {
	Revision  int64 `json:"revision"`
	Endpoints []struct {
		ID       string            `json:"id"`
		IP       string            `json:"ip"`
		Port     int               `json:"port"`
		Weight   float64           `json:"weight"`
		Healthy  bool              `json:"healthy"`
		Enabled  bool              `json:"enabled"`
		Cluster  string            `json:"cluster"`
		Metadata map[string]string `json:"metadata"`
	} `json:"endpoints"`
}

// Watch implements Source.
func (t *Troupe) Watch(ctx context.Context, service string, update func([]Endpoint)) error {
	r, err := newRegistry(t.Servers, t.Client)
	if err != nil {
		return err
	}
	for have := int64(0); ctx.Err() == nil; {
		began := time.Now()
		list, err := t.ask(ctx, r, service, have)
		switch {
		case errors.Is(err, errStatus(http.StatusNotModified)):
		case err != nil:
			return fmt.Errorf("instances of %s: %w", service, err)
		default:
			have = list.Revision
			update(list.endpoints())
		}
		// Whatever answers at once although nothing has changed is not asked in a loop.
		if rest := troupeFloor - time.Since(began); rest > 0 && !pauseFor(ctx, rest) {
			break
		}
	}
	return ctx.Err()
}

// ask asks the servers in turn until one answers.
func (t *Troupe) ask(ctx context.Context, r *registry, service string, have int64) (*troupeList, error) {
	var all []error
	for range r.bases {
		at := r.first()
		list, err := t.askAt(ctx, r, at, t.path(service, have))
		var status errStatus
		if err == nil || errors.As(err, &status) && status < 500 && status != http.StatusTooManyRequests {
			return list, err
		}
		if all = append(all, err); ctx.Err() != nil {
			break
		}
		r.prefer((at + 1) % len(r.bases)) // also when it is only silent
	}
	return nil, errors.Join(all...)
}

// askAt asks one server; with a token that has ended, again with a new one.
func (t *Troupe) askAt(ctx context.Context, r *registry, at int, path string) (*troupeList, error) {
	ctx, cancel := context.WithTimeout(ctx, troupeWait+troupeTime)
	defer cancel()
	for refused := ""; ; {
		token, err := t.token(ctx, r.client, r.bases[at], refused)
		if err != nil {
			return nil, err
		}
		one := &registry{client: r.client, header: http.Header{}}
		if token != "" {
			one.header.Set("X-Troupe-Token", token)
		}
		list := &troupeList{}
		_, err = one.ask(ctx, r.bases[at]+path, list)
		if t.User == "" || t.Token != "" || refused != "" || !errors.Is(err, errStatus(http.StatusUnauthorized)) {
			return list, err
		}
		refused = token
	}
}

func (t *Troupe) path(service string, have int64) string {
	namespace, group := t.Namespace, t.Group
	if namespace == "" {
		namespace = "public"
	}
	if group == "" {
		group = "DEFAULT_GROUP"
	}
	if g, name, ok := strings.Cut(service, "@@"); ok {
		group, service = g, name
	}
	return "/troupe/v1/services/" + url.PathEscape(namespace) + "/" + url.PathEscape(group) + "/" + url.PathEscape(service) +
		"?revision=" + strconv.FormatInt(have, 10) + "&wait=" + troupeWait.String()
}

// token is what to show; a new one, if the last was refused.
func (t *Troupe) token(ctx context.Context, client *http.Client, base, refused string) (string, error) {
	if t.Token != "" || t.User == "" {
		return t.Token, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.login == "" || t.login == refused { // else another service's watch has a new one already
		token, err := t.logsIn(ctx, client, base)
		if err != nil {
			return "", fmt.Errorf("login: %w", err)
		}
		t.login = token
	}
	return t.login, nil
}

// logsIn gets a token from one server.
func (t *Troupe) logsIn(ctx context.Context, client *http.Client, base string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, troupeTime)
	defer cancel()
	form := url.Values{"username": {t.User}, "password": {t.Password}}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/nacos/v1/auth/login", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(q)
	if err != nil {
		return "", hidden(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusOK {
		return "", errStatus(resp.StatusCode)
	}
	var said struct {
		Token string `json:"accessToken"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, loginLimit)).Decode(&said); err != nil {
		return "", err
	}
	if said.Token == "" {
		return "", errors.New("the answer has no token")
	}
	return said.Token, nil
}

// endpoints: a cluster is a zone, unless metadata names one.
func (l *troupeList) endpoints() []Endpoint {
	list := make([]Endpoint, 0, len(l.Endpoints))
	for _, h := range l.Endpoints {
		list = append(list, Described(Endpoint{
			Host: h.IP, Port: h.Port, Zone: h.Cluster, Weight: h.Weight, Down: !h.Healthy || !h.Enabled, Metadata: h.Metadata,
		}))
	}
	return list
}

// Described is e with what its metadata says of it, as Nacos' and Spring's clients
// write it: zone, and secure.
func Described(e Endpoint) Endpoint {
	if zone := e.Metadata["zone"]; zone != "" {
		e.Zone = zone
	}
	if e.Metadata["secure"] == "true" {
		e.Scheme = "https"
	}
	return e
}
