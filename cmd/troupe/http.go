package main

import (
	"context"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/openstack/compute"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
	"github.com/troupe-cloud/troupe/gateway/openstack/image"
	"github.com/troupe-cloud/troupe/gateway/openstack/network"
	"github.com/troupe-cloud/troupe/gateway/ops"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/gateway/troupe"
)

// Limits of the HTTP server. Bodies have their own, in package api.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// stallTimeout ends a client that stops sending or reading. Uploads and
	// downloads push it before them as long as they move.
	stallTimeout   = api.DefaultTimeout + 30*time.Second
	maxHeaderBytes = 64 << 10
	// maxWaiting is how many messages may wait in mailboxes before new requests
	// are answered 503.
	maxWaiting = 8192
)

// front answers from the moment the address is taken. Until everything behind it
// has started it says so: who asks should ask another node, or again, and not wait.
type front struct{ behind atomic.Pointer[http.Handler] }

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.behind.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, "the cloud is starting", http.StatusServiceUnavailable)
}

// bind takes the address early: one that is in use is found before anything else
// is done.
func (c *cloud) bind(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.config.Listen)
	if err != nil {
		return err
	}
	c.server = &http.Server{
		Handler: &c.front, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ReadTimeout: stallTimeout, WriteTimeout: stallTimeout,
		ErrorLog: stdlog.New(c.log.With().Str("lib", "net/http").Logger().Level(zerolog.DebugLevel), "", 0),
	}
	c.serveOn("HTTP", l, c.server)
	c.onStop("listener", func(context.Context) error {
		_ = c.server.Close() // closed already where everything had started
		return nil
	})
	port := l.Addr().(*net.TCPAddr)
	host := port.IP.String()
	if port.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	c.url = "http://" + net.JoinHostPort(host, fmt.Sprint(port.Port))
	return nil
}

// serve mounts every dialect and begins to answer.
func (c *cloud) serve(ctx context.Context) error {
	keys, err := identity.LoadKeys(ctx, c.keys, time.Now())
	if err != nil {
		return err
	}
	id, err := identity.New(identity.Config{
		Client: c.client, Keys: keys, Log: c.log, TokenLife: c.config.TokenLife, Catalog: catalog(),
	})
	if err != nil {
		return err
	}
	c.identity, c.tokens = id, keys
	server := api.NewServer(api.Config{
		Auth: id, Log: c.log, RatePerClient: c.config.RatePerClient,
		Pressure: func() float64 { return float64(c.client.Pressure()) / maxWaiting },
	})
	for _, d := range c.dialects(id) {
		server.Mount(d)
	}
	mux := http.NewServeMux()
	mux.Handle("/", server.Handler())
	ops.Mount(mux, ops.Config{Version: versionText(), Ready: c.ready, Stats: c.client.Stats, InFlight: server.InFlight})
	handler := http.Handler(mux)
	c.front.behind.Store(&handler)
	c.onStop("HTTP", shutdown(c.server))
	return nil
}

// catalog names what dialects serves; clients call every service they see.
func catalog() []identity.Service {
	return []identity.Service{
		{Type: "compute", Name: "nova", Path: compute.Prefix + "/v2.1"},
		{Type: "image", Name: "glance", Path: image.Prefix},
		{Type: "network", Name: "neutron", Path: network.Prefix},
	}
}

func (c *cloud) dialects(id *identity.Identity) []api.Dialect {
	references := order.Remember(c.client) // of those that change such things, and of those who order by them
	return []api.Dialect{
		id.Dialect(),
		compute.New(compute.Config{Client: references}).Dialect(),
		image.New(image.Config{Client: references, Blobs: c.blobs}).Dialect(),
		network.New(network.Config{Client: references}).Dialect(),
		troupe.Dialect(levels{}, c.client, c.client),
	}
}

// ready says whether the store answers.
func (c *cloud) ready(ctx context.Context) error {
	_, _, err := c.client.List(ctx, cluster.Page{Prefix: "ready/", Limit: 1})
	return err
}
