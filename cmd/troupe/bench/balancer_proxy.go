package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Sizes of what is measured of the proxy.
const (
	proxyConns = 32
	proxyBody  = 1024 // bytes of an answer
	proxyTurns = 3    // of each in turn, of which the best counts
)

// reverseProxyCommand is Go's own ReverseProxy in a process of its own, to be
// measured against.
func reverseProxyCommand() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "reverse-proxy", Short: "Pass requests on to one server by Go's own ReverseProxy", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			u, err := url.Parse(to)
			if err != nil {
				return err
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM)
			defer stop()
			bare := &httputil.ReverseProxy{
				Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u); r.SetXForwarded() },
				Transport: &http.Transport{MaxIdleConnsPerHost: proxyConns * 2},
			}
			server := &http.Server{Handler: bare, ReadHeaderTimeout: time.Minute}
			context.AfterFunc(ctx, func() { _ = server.Close() })
			fmt.Fprintf(cmd.OutOrStdout(), "reverse-proxy is ready on http://%s \n", l.Addr())
			_ = server.Serve(l) // until it is told to end
			return nil
		},
	}
	c.Flags().StringVar(&to, "to", "", "http://HOST:PORT")
	return c
}

// throughProxy measures the proxy beside Go's own.
func (x *registryCloud) throughProxy() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	answer := make([]byte, proxyBody)
	backend := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", fmt.Sprint(proxyBody))
		_, _ = w.Write(answer)
	})}
	go func() { _ = backend.Serve(l) }()
	defer backend.Close()
	if err := x.enlist(http.MethodPost, "proxied", l.Addr().String()); err != nil {
		return err
	}
	bare, err := start(x.dir, os.Environ(), "bench", "reverse-proxy", "--to", "http://"+l.Addr().String())
	if err != nil {
		return err
	}
	defer bare.kill()
	var ours, theirs float64
	for range proxyTurns {
		n, err := x.load(bare.base, form(bare.base[len("http://"):], "GET", "/x", ""))
		if err != nil {
			return err
		}
		theirs = max(theirs, n)
		n, err = x.load("http://"+x.http, form(x.http, "GET", "/proxy/public/DEFAULT_GROUP/proxied/x", "", "X-Troupe-Token: "+x.token))
		if err != nil {
			return err
		}
		ours = max(ours, n)
	}
	x.add(fmt.Sprintf("proxy: requests over %d connections, with accounts and balancer", proxyConns), perSecond(ours, "requests"),
		"≥ 60 % of a bare one", fmt.Sprintf("%.0f %% of Go's ReverseProxy alone, %s", 100*ours/theirs, perSecond(theirs, "requests")))
	return nil
}

// load is how often a second a request is answered.
func (x *registryCloud) load(base string, request []byte) (float64, error) {
	var done atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, proxyConns)
	began := time.Now()
	for i := range proxyConns {
		all.Go(func() {
			c, err := dial(base)
			if err != nil {
				errs[i] = err
				return
			}
			defer c.close()
			for time.Since(began) < x.during {
				status, body, err := c.do(request)
				if err == nil && (status != http.StatusOK || len(body) != proxyBody) {
					err = fmt.Errorf("status %d: %.200s", status, body)
				}
				if err != nil {
					errs[i] = err
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(done.Load()) / time.Since(began).Seconds(), nil
}
