package main

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/h1"
	"github.com/troupe-cloud/troupe/gateway/nacos/rpc"
)

const (
	// defaultRegistry is where Nacos' clients look for a server.
	defaultRegistry = "127.0.0.1:8848"
	// noRegistry as --registry-listen: there is none.
	noRegistry = "off"
	// grpcOffset is what clients add to the port to find gRPC.
	grpcOffset = 1000
	// registryHeaderBytes holds the longest query there may be.
	registryHeaderBytes = 128 << 10
	// pairTries is how often two ports are looked for that lie apart like that, where
	// any port will do.
	pairTries = 32
)

// registryListen is where this process serves the registry.
type registryListen struct {
	main    *rpc.Splitter // HTTP, and gRPC too
	grpc    net.Listener
	server  *http.Server
	fast    *h1.Server // in front of server; nil: there is none
	front   front
	address string // as clients reach it
	open    bool   // --no-auth

	proxy        *http.Server // of --proxy-listen; nil: there is none
	proxyFront   front
	proxyAddress string
}

// line is what the ready line says of it.
func (r *registryListen) line() string {
	switch {
	case r == nil:
		return ""
	case r.open:
		return ", registry " + r.address + " WITHOUT AUTHENTICATION" + r.proxyLine()
	}
	return ", registry " + r.address + r.proxyLine()
}

func (r *registryListen) proxyLine() string {
	if r.proxy == nil {
		return ""
	}
	return ", proxy " + r.proxyAddress
}

// checkRegistry refuses addresses that cannot be, and doors that must not be open.
func (c *cloudConfig) checkRegistry() error {
	if c.RegistryListen == noRegistry {
		c.RegistryListen = ""
	}
	if c.RegistryListen == "" {
		return nil
	}
	if err := c.Eureka.check(); err != nil {
		return err
	}
	if err := c.Proxy.check(c.NoAuth); err != nil {
		return err
	}
	at, err := net.ResolveTCPAddr("tcp", c.RegistryListen)
	if err != nil {
		return badSetting("--registry-listen %q is not HOST:PORT: %w", c.RegistryListen, err)
	}
	if at.Port > 65535-grpcOffset {
		return badSetting("--registry-listen %q: gRPC is on the port %d above, so it can be %d at most", c.RegistryListen, grpcOffset, 65535-grpcOffset)
	}
	if host, _, _ := net.SplitHostPort(c.RegistryListen); c.NoAuth && !isLoopback(host) {
		return badSetting("--no-auth with --registry-listen %q: without authentication the registry listens on loopback addresses only", c.RegistryListen)
	}
	return nil
}

// bindRegistry takes the two ports early, as bind does its own.
func (c *cloud) bindRegistry(ctx context.Context) error {
	if c.config.RegistryListen == "" {
		return nil
	}
	main, grpc, err := listenPair(ctx, c.config.RegistryListen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%w: is a Nacos running there? choose another address with --registry-listen, or have no registry with --registry-listen off", err)
		}
		return err
	}
	r := &registryListen{main: rpc.Split(main), grpc: grpc, open: c.config.NoAuth, address: c.reachable(main.Addr().(*net.TCPAddr))}
	r.server = &http.Server{
		Handler: &r.front, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: registryHeaderBytes,
		ErrorLog: stdlog.New(c.log.With().Str("lib", "net/http").Logger().Level(zerolog.DebugLevel), "", 0),
	}
	c.serveOn("registry", c.lane(r), r.server)
	c.onStop("registry's listeners", func(context.Context) error {
		_ = r.server.Close() // closed already where everything had started
		if r.fast != nil {
			now, cancel := context.WithCancel(context.Background())
			cancel()
			_ = r.fast.Shutdown(now)
		}
		_ = r.main.Close()
		_ = grpc.Close()
		return nil
	})
	c.registry = r
	if err := c.bindProxy(ctx, r); err != nil {
		return err
	}
	if r.open {
		c.log.Warn().Str("address", r.address).Msg("--no-auth: the registry asks nobody who he is; every process on this machine may read and change everything in it")
	}
	return nil
}

// lane is the listener of r.server: what the fast lane before it does not answer. With
// a domain of services there is none, for then a host name may mean any of them.
func (c *cloud) lane(r *registryListen) net.Listener {
	if c.config.Proxy.Domain != "" {
		return r.main.HTTP()
	}
	r.fast = h1.Front(r.main.HTTP(), h1.Config{
		Handler: &r.front, Paths: api.SimplePaths, Params: api.SimpleParams, IdleTime: idleTimeout, HeadTime: headerTimeout, WriteTime: stallTimeout, Log: c.log,
	})
	return r.fast
}

// shutdown has requests under way end, for a while.
func (r *registryListen) shutdown(ctx context.Context) error {
	if r.fast == nil {
		return shutdown(r.server)(ctx)
	}
	quick, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	return errors.Join(r.fast.Shutdown(quick), shutdown(r.server)(ctx))
}

// reachable is how clients reach what listens at.
func (c *cloud) reachable(at *net.TCPAddr) string {
	host := at.IP.String()
	if at.IP.IsUnspecified() {
		host = "127.0.0.1"
		if c.member != nil {
			host, _, _ = net.SplitHostPort(c.member.config.Advertise)
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(at.Port))
}

// listenPair listens at address, and at the port for gRPC. If any port will do, it
// tries several: the other one of a pair may be taken.
func listenPair(ctx context.Context, address string) (main, grpc net.Listener, err error) {
	for range pairTries {
		if main, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
			return nil, nil, err
		}
		at := *main.Addr().(*net.TCPAddr)
		at.Port += grpcOffset
		if at.Port <= 65535 {
			host, _, _ := net.SplitHostPort(address)
			grpc, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(at.Port)))
			if err == nil {
				return main, grpc, nil
			}
		}
		_ = main.Close()
		if _, port, _ := net.SplitHostPort(address); port != "0" {
			break
		}
	}
	return nil, nil, err
}

// emptied waits until n is 0, but not for long.
func emptied(n func() int, atMost time.Duration) {
	const look = 20 * time.Millisecond
	for end := time.Now().Add(atMost); n() > 0 && time.Now().Before(end); {
		time.Sleep(look)
	}
}
