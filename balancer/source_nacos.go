package balancer

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Nacos asks a Nacos, or what speaks like one, for the instances of a service. Its
// HTTP API tells nobody of changes, so it is polled, as often as it says itself.
// Source: Nacos' open API, GET /nacos/v1/ns/instance/list.
type Nacos struct {
	Servers   []string // e.g. http://127.0.0.1:8848
	Namespace string
	Group     string // "": DEFAULT_GROUP
	User      string
	Password  string
	Token     string // an access token, instead of a user
	Every     time.Duration
	Client    *http.Client
}

type nacosList struct {
	CacheMillis int64 `json:"cacheMillis"`
	Hosts       []struct {
		InstanceID string            `json:"instanceId"`
		IP         string            `json:"ip"`
		Port       int               `json:"port"`
		Weight     float64           `json:"weight"`
		Healthy    bool              `json:"healthy"`
		Enabled    bool              `json:"enabled"`
		Cluster    string            `json:"clusterName"`
		Metadata   map[string]string `json:"metadata"`
	} `json:"hosts"`
}

// Watch implements Source.
func (n *Nacos) Watch(ctx context.Context, service string, update func([]Endpoint)) error {
	r, err := newRegistry(n.Servers, n.Client)
	if err != nil {
		return err
	}
	for {
		var got nacosList
		one, cancel := context.WithTimeout(ctx, pollTime)
		_, err := r.get(one, "/nacos/v1/ns/instance/list?"+n.query(service).Encode(), &got)
		cancel()
		if err != nil {
			return fmt.Errorf("instances of %s: %w", service, err)
		}
		update(got.endpoints())
		pause := n.Every
		if pause <= 0 {
			pause = max(time.Duration(got.CacheMillis)*time.Millisecond, time.Second)
		}
		if !pauseFor(ctx, pause) {
			return ctx.Err()
		}
	}
}

func (n *Nacos) query(service string) url.Values {
	q := url.Values{"serviceName": {service}, "groupName": {"DEFAULT_GROUP"}}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	set("groupName", n.Group)
	set("namespaceId", n.Namespace)
	set("accessToken", n.Token)
	if n.Token == "" {
		set("username", n.User)
		set("password", n.Password)
	}
	return q
}

// endpoints: a cluster is a zone, unless metadata names one.
func (l *nacosList) endpoints() []Endpoint {
	list := make([]Endpoint, 0, len(l.Hosts))
	for _, h := range l.Hosts {
		list = append(list, Described(Endpoint{
			Host: h.IP, Port: h.Port, Zone: h.Cluster, Weight: h.Weight, Down: !h.Healthy || !h.Enabled, Metadata: h.Metadata,
		}))
	}
	return list
}
