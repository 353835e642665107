package main

import (
	"context"
	stdlog "log"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/gateway/door"
	"github.com/troupe-cloud/troupe/gateway/proxy"
	"github.com/troupe-cloud/troupe/gateway/push"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// proxyConfig says how registered services are called through this process.
type proxyConfig struct {
	Listen, Domain string
	Allow          []string
	allow          []netip.Prefix
}

func (p *proxyConfig) flags(f *pflag.FlagSet) {
	f.StringVar(&p.Listen, "proxy-listen", "", "one more address at which services are called, also by gRPC (HTTP/2 without TLS); by default only below /proxy of --registry-listen")
	f.StringVar(&p.Domain, "proxy-domain", "", "domain below which SERVICE.GROUP.NAMESPACE and SERVICE are host names of services, e.g. svc.local")
	f.StringSliceVar(&p.Allow, "proxy-allow", nil, "subnets of endpoints that may be called though they are loopback, link-local or metadata addresses, e.g. 127.0.0.0/8")
}

func (p *proxyConfig) check(open bool) error {
	p.allow = nil
	for _, text := range p.Allow {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return badSetting("--proxy-allow %q is no subnet such as 127.0.0.0/8: %w", text, err)
		}
		p.allow = append(p.allow, prefix.Masked())
	}
	if p.Listen == "" {
		return nil
	}
	if _, err := net.ResolveTCPAddr("tcp", p.Listen); err != nil {
		return badSetting("--proxy-listen %q is not HOST:PORT: %w", p.Listen, err)
	}
	if host, _, _ := net.SplitHostPort(p.Listen); open && !isLoopback(host) {
		return badSetting("--no-auth with --proxy-listen %q: without authentication services are called through loopback addresses only", p.Listen)
	}
	return nil
}

// bindProxy takes the address of --proxy-listen early, as bindRegistry does its own.
func (c *cloud) bindProxy(ctx context.Context, r *registryListen) error {
	if c.config.Proxy.Listen == "" {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.config.Proxy.Listen)
	if err != nil {
		return err
	}
	both := new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	r.proxy = &http.Server{
		Handler: &r.proxyFront, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: registryHeaderBytes, Protocols: both,
		ErrorLog: stdlog.New(c.log.With().Str("lib", "net/http").Logger().Level(zerolog.DebugLevel), "", 0),
	}
	r.proxyAddress = c.reachable(l.Addr().(*net.TCPAddr))
	c.serveOn("proxy", l, r.proxy)
	c.onStop("proxy's listener", func(context.Context) error {
		_ = r.proxy.Close() // closed already where everything had started
		return nil
	})
	return nil
}

// proxyPaths is what is below the registry's listener for those who call services.
type proxyPaths struct {
	push  *push.Server
	proxy *proxy.Proxy
	door  *door.Door
}

// metricsPath is where the numbers of the services are that are called through here.
const metricsPath = "/troupe/v1/proxy/metrics"

// serveServices makes what tells programs of services, and what calls them.
func (c *cloud) serveServices(d *door.Door, feeds *registry.Feeds) (*proxyPaths, error) {
	called, err := proxy.New(proxy.Config{
		Door: d, Feeds: feeds, Log: c.log, Domain: c.config.Proxy.Domain, Allow: c.config.Proxy.allow, Guests: c.way(),
	})
	if err != nil {
		return nil, badSetting("--proxy-domain: %w", err)
	}
	p := &proxyPaths{push: push.New(push.Config{Door: d, Feeds: feeds}), proxy: called, door: d}
	if c.registry.proxy != nil {
		alone := http.Handler(p.before(http.NotFoundHandler()))
		c.registry.proxyFront.behind.Store(&alone)
	}
	return p, nil
}

// before has services be called and told of, and other answer everything else.
func (p *proxyPaths) before(other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.EscapedPath(); {
		case p.proxy.Owns(r):
			p.proxy.ServeHTTP(w, r)
		case strings.HasPrefix(path, push.Prefix):
			p.push.ServeHTTP(w, r)
		case path == metricsPath:
			p.metrics(w, r)
		default:
			other.ServeHTTP(w, r)
		}
	})
}

// metrics answers callers on this machine, and administrators.
func (p *proxyPaths) metrics(w http.ResponseWriter, r *http.Request) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		visit, err := p.door.Enter(r, false)
		if err == nil && !visit.User.Admin {
			err = &door.Refusal{Status: http.StatusForbidden, Sentence: "these numbers are for administrators, and callers on this machine"}
		}
		if err != nil {
			door.Fail(w, err)
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_ = p.proxy.WriteMetrics(w) // a client that is gone is told nothing
}
