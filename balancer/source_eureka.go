package balancer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Eureka asks a Eureka for the instances of a VIP address, or of an app.
// Source: Eureka's REST operations, GET /eureka/v2/vips/:vip and /apps/:app.
type Eureka struct {
	Servers  []string // with the context path, e.g. http://127.0.0.1:8761/eureka
	App      bool     // services are names of apps, not VIP addresses
	Secure   bool     // use the secure port: IsSecure
	User     string
	Password string
	Every    time.Duration // 0: DefaultEvery
	Client   *http.Client
}

type eurekaApps struct {
	Applications struct {
		Application many[eurekaApp] `json:"application"`
	} `json:"applications"`
	Application *eurekaApp `json:"application"`
}

type eurekaApp struct {
	Instance many[eurekaInstance] `json:"instance"`
}

type eurekaInstance struct {
	InstanceID string     `json:"instanceId"`
	HostName   string     `json:"hostName"`
	IPAddr     string     `json:"ipAddr"`
	Status     string     `json:"status"`
	Port       eurekaPort `json:"port"`
	SecurePort eurekaPort `json:"securePort"`
	Metadata   any        `json:"metadata"`
}

type eurekaPort struct {
	Port    any `json:"$"`
	Enabled any `json:"@enabled"`
}

// many is a list that Eureka writes as its one element when it has but one.
type many[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (m *many[T]) UnmarshalJSON(raw []byte) error {
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") {
		return json.Unmarshal(raw, (*[]T)(m))
	}
	var one T
	if err := json.Unmarshal(raw, &one); err != nil {
		return err
	}
	*m = many[T]{one}
	return nil
}

// Watch implements Source.
func (e *Eureka) Watch(ctx context.Context, service string, update func([]Endpoint)) error {
	r, err := newRegistry(e.Servers, e.Client)
	if err != nil {
		return err
	}
	r.user, r.pass = e.User, e.Password
	return Poll(eurekaLister{e, r}, e.Every).Watch(ctx, service, update)
}

type eurekaLister struct {
	*Eureka
	registry *registry
}

// List implements Lister.
func (l eurekaLister) List(ctx context.Context, service string) ([]Endpoint, error) {
	what := "/vips/"
	if l.App {
		what = "/apps/"
	}
	var got eurekaApps
	_, err := l.registry.get(ctx, what+url.PathEscape(service), &got)
	var status errStatus
	if errors.As(err, &status) && status == http.StatusNotFound {
		return nil, nil // it knows no such service
	}
	if err != nil {
		return nil, fmt.Errorf("instances of %s: %w", service, err)
	}
	apps := got.Applications.Application
	if got.Application != nil {
		apps = append(apps, *got.Application)
	}
	var list []Endpoint
	for _, app := range apps {
		for i := range app.Instance {
			list = append(list, l.endpoint(&app.Instance[i]))
		}
	}
	return list, nil
}

func (e *Eureka) endpoint(i *eurekaInstance) Endpoint {
	out := Endpoint{ID: i.InstanceID, Host: i.HostName, Port: i.Port.number(), Weight: 1, Down: i.Status != "UP"}
	if i.IPAddr != "" {
		out.Host = i.IPAddr
	}
	if e.Secure && i.SecurePort.number() > 0 {
		out.Port, out.Scheme = i.SecurePort.number(), "https"
	}
	if meta, ok := i.Metadata.(map[string]any); ok {
		out.Metadata = make(map[string]string, len(meta))
		for k, v := range meta {
			if text, ok := v.(string); ok {
				out.Metadata[k] = text
			}
		}
		out.Zone = out.Metadata["zone"]
	}
	return out
}

// number of a port, written as a number or as text.
func (p eurekaPort) number() int {
	switch v := p.Port.(type) {
	case float64:
		return int(v)
	case string:
		n, err := strconv.Atoi(v)
		if err == nil {
			return n
		}
	}
	return 0
}
