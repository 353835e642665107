package main

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
)

// profile serves Go's profiler where it was asked for; check has seen to it that
// the address is loopback.
func (c *cloud) profile(ctx context.Context) error {
	if c.config.PProf == "" {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.config.PProf)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	c.listen("profiler", l, &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout})
	return nil
}
