// Package proxy passes requests on to the endpoints of registered services, chosen
// by package balancer: /proxy/NAMESPACE/GROUP/SERVICE/…, or by host name below a
// domain. It owns the way of one request: who may call what, which headers go on,
// which addresses may be reached, how long and how large anything may be. What a
// service is, and which of its endpoints are well, it is told by the registry.
//
// Source: RFC 9110 and 9112 (hop-by-hop fields, framing), RFC 7239 (Forwarded).
package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/gateway/door"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// Prefix is what paths begin with that name a service.
const Prefix = "/proxy/"

// Limits and times.
const (
	DefaultInFlight = 8192    // requests under way, upgraded connections included
	MaxBody         = 1 << 30 // bytes of a request's body; it is passed on as it comes
	maxServices     = 4096    // that are called at the same time
	listTime        = 5 * time.Second
	clientTime      = 60 * time.Second // for a client to send or take one piece
	idleService     = 2 * time.Minute  // after which a service that nobody calls is forgotten
	maxBuffer       = 32 << 10         // bytes that are copied at once
)

// Config is what a proxy depends on.
type Config struct {
	Door  *door.Door
	Feeds *registry.Feeds
	Log   zerolog.Logger
	// Domain below which SERVICE.GROUP.NAMESPACE and SERVICE are host names; "": none.
	Domain string
	// Allow are addresses that may be reached though they are loopback, link-local or
	// of a metadata service.
	Allow []netip.Prefix
	// Guests is the way to the machines of this node, for what they announce
	// themselves; nil: there is none.
	Guests      drivers.GuestDialer
	MaxInFlight int // 0: DefaultInFlight
}

// Proxy is the handler.
type Proxy struct {
	cfg      Config
	ctx      context.Context
	cancel   context.CancelFunc
	services services
	reverse  httputil.ReverseProxy
	bases    *bases
	guests   *bases // for what guests announce; nil: bases too
	via      string
	inFlight atomic.Int64
}

// New makes a proxy; Close ends it, before the feeds.
func New(cfg Config) (*Proxy, error) {
	cfg.MaxInFlight = cmp.Or(cfg.MaxInFlight, DefaultInFlight)
	cfg.Domain = strings.ToLower(strings.Trim(cfg.Domain, "."))
	if cfg.Domain != "" && !domainForm.MatchString(cfg.Domain) {
		return nil, fmt.Errorf("%.80q is no domain: %w", cfg.Domain, messages.Invalid)
	}
	p := &Proxy{cfg: cfg, bases: newBases(guard{cfg.Allow}, nil), via: newVia()}
	if cfg.Guests != nil {
		p.guests = newBases(guard{cfg.Allow}, cfg.Guests)
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.services.start(p)
	p.reverse = httputil.ReverseProxy{
		Rewrite: p.rewrite, Transport: p, ModifyResponse: modify, ErrorHandler: p.fail, BufferPool: &buffers{},
		ErrorLog: log.New(io.Discard, "", 0), // it is told to ErrorHandler too, or is of answers that were broken off
	}
	return p, nil
}

var domainForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// Close ends what the proxy does by itself. Requests under way go on.
func (p *Proxy) Close() {
	p.cancel()
	p.services.tasks.Wait()
	p.bases.close()
	if p.guests != nil {
		p.guests.close()
	}
}

// InFlight is the number of requests under way.
func (p *Proxy) InFlight() int64 { return p.inFlight.Load() }

// WriteMetrics writes what is known of the services that are called, in Prometheus'
// text format.
func (p *Proxy) WriteMetrics(w interface{ Write([]byte) (int, error) }) error {
	return balancer.WriteMetrics(w, p.services.balancers()...)
}

// Owns says whether r is for a service: by its path, or by its host.
func (p *Proxy) Owns(r *http.Request) bool {
	_, named := p.host(r.Host)
	return named || strings.HasPrefix(r.URL.EscapedPath(), Prefix)
}

// host is what stands before the domain in a host name, with or without a port.
func (p *Proxy) host(host string) (name string, ok bool) {
	if p.cfg.Domain == "" {
		return "", false
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	name, ok = strings.CutSuffix(host, "."+p.cfg.Domain)
	return name, ok && name != ""
}

// way is one request on its way, kept in its context.
type way struct {
	visit   door.Visit
	key     api.Key
	service *target
	prefix  string // of the path, which the service does not see; "": it was named by host
	rest    string // the path that the service sees, escaped
	scheme  string
}

type wayKey struct{}

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() { p.inFlight.Add(-1) }()
	if p.inFlight.Add(1) > int64(p.cfg.MaxInFlight) {
		p.fail(w, r, refuse(http.StatusServiceUnavailable, "%d requests are under way already: try again later", p.cfg.MaxInFlight))
		return
	}
	x, err := p.find(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	defer x.service.leave()
	bound(w, r)
	p.reverse.ServeHTTP(&paced{ResponseWriter: w, control: http.NewResponseController(w)}, r.WithContext(context.WithValue(r.Context(), wayKey{}, x)))
}

func refuse(status int, form string, args ...any) error {
	return &door.Refusal{Status: status, Sentence: fmt.Sprintf(form, args...)}
}

// find says where a request goes, if it may.
func (p *Proxy) find(r *http.Request) (*way, error) {
	x := &way{scheme: "http"}
	if r.TLS != nil {
		x.scheme = "https"
	}
	if err := acceptable(r, p.via); err != nil {
		return nil, err
	}
	var err error
	path := r.URL.EscapedPath()
	if name, named := p.host(r.Host); named {
		x.key, x.rest = split(name), path
		err = door.Check(x.key)
	} else if x.key, x.rest, err = door.Key(strings.TrimPrefix(path, Prefix)); err == nil {
		x.prefix = strings.TrimSuffix(path, x.rest)
	}
	if err != nil {
		return nil, err
	}
	if x.visit, err = p.cfg.Door.Enter(r, true); err != nil {
		return nil, err
	}
	if err = x.visit.MayRead(x.key); err != nil {
		return nil, err
	}
	x.service, err = p.services.enter(r.Context(), x.key)
	return x, err
}

// split reads SERVICE.GROUP.NAMESPACE, or SERVICE. A service may have dots in its
// name, its group and namespace not. Host names know no upper case, so groups and
// names are looked up as they are written there, but for the default group.
func split(name string) api.Key {
	key := api.Key{Namespace: api.PublicNamespace, Group: api.DefaultGroup, Name: name}
	if rest, namespace, ok := cutLast(name); ok {
		if service, group, ok := cutLast(rest); ok {
			key = api.Key{Namespace: namespace, Group: group, Name: service}
		}
	}
	if strings.EqualFold(strings.ReplaceAll(key.Group, "-", "_"), api.DefaultGroup) {
		key.Group = api.DefaultGroup
	}
	return key
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// RoundTrip is the way to an endpoint: http.RoundTripper of the reverse proxy.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	x := r.Context().Value(wayKey{}).(*way)
	return x.service.transport.Load().RoundTrip(r)
}

// fail answers what could not be passed on.
func (p *Proxy) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is there any more
	}
	refusal := p.refusal(r, err)
	if isGRPC(r) {
		failGRPC(w, refusal)
		return
	}
	// What of the request was not read must not be taken for another one.
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
	door.Fail(w, refusal)
}

// refusal is what a client is told of err.
func (p *Proxy) refusal(r *http.Request, err error) *door.Refusal {
	var refused *door.Refusal
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &large):
		return &door.Refusal{Status: http.StatusRequestEntityTooLarge, Sentence: fmt.Sprintf("a request's body has %d bytes at most", int64(MaxBody))}
	case balancer.CallersFault(err):
		return &door.Refusal{Status: http.StatusBadRequest, Sentence: "the request's body ended before its time"}
	case errors.Is(err, balancer.ErrNoServer):
		return &door.Refusal{Status: http.StatusServiceUnavailable, Sentence: "no endpoint of this service can be called now"}
	case errors.Is(err, errForbidden):
		return &door.Refusal{Status: http.StatusBadGateway, Sentence: "the endpoint's address is not one that may be reached from here"}
	case errors.Is(err, context.DeadlineExceeded):
		return &door.Refusal{Status: http.StatusGatewayTimeout, Sentence: "the endpoint did not answer in time"}
	}
	if status, sentence := door.StatusOf(err); status != http.StatusInternalServerError {
		return &door.Refusal{Status: status, Sentence: sentence}
	}
	p.cfg.Log.Debug().Str("path", r.URL.Path).Err(err).Msg("a request could not be passed on")
	return &door.Refusal{Status: http.StatusBadGateway, Sentence: "the endpoint cannot be reached, or did not answer as it should"}
}
