package bench

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	lb "github.com/troupe-cloud/troupe/balancer"
)

// Sizes of what is measured of endpoints that die.
const (
	deadRounds  = 40
	deadCallers = 4
	deadPause   = 2 * time.Millisecond   // of a caller between two calls
	deadWindow  = 600 * time.Millisecond // in which the last call is looked for: afterwards a server that refuses may be tried again
)

// deaths measures for how long calls go to an endpoint that is gone: one that
// refuses connections, and one that the registry takes out.
func deaths(r *run) error {
	x, err := r.startRegistry("balancer", "--proxy-allow", "127.0.0.0/8")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		what, wanted string
		push         bool
	}{{"connections refused", "p99 ≤ 50 ms", false}, {"taken out of the registry (push)", "p99 ≤ 300 ms", true}} {
		var took []time.Duration
		for n := range deadRounds {
			d, err := x.death(fmt.Sprintf("dead-%t-%d", c.push, n), c.push)
			if err != nil {
				return err
			}
			took = append(took, d)
		}
		x.add("balancer: endpoint dead -> last call to it, "+c.what+": p50 (p99)", percentiles(took), c.wanted, fmt.Sprintf("%d callers, one call each %v", deadCallers, deadPause))
	}
	if err := x.throughProxy(); err != nil {
		return err
	}
	return r.ends()
}

// death registers two endpoints, has callers call, and ends one of them.
func (x *registryCloud) death(name string, push bool) (time.Duration, error) {
	var servers [2]*http.Server
	var at [2]string
	for i := range servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		servers[i] = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })}
		at[i] = l.Addr().String()
		go func() { _ = servers[i].Serve(l) }()
		defer servers[i].Close()
		if err := x.enlist(http.MethodPost, name, at[i]); err != nil {
			return 0, err
		}
	}
	var last, failed atomic.Int64
	services := &lb.Services{Source: &lb.Troupe{Servers: []string{"http://" + x.http}, Token: x.token}}
	defer services.Close()
	tr := &lb.Transport{Services: services, Interceptors: []lb.Interceptor{func(q *http.Request, s *lb.Server, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if s.Address() == at[0] {
			last.Store(time.Now().UnixNano())
		}
		return next(q)
	}}}
	client := &http.Client{Transport: tr}
	ended := make(chan struct{})
	var callers sync.WaitGroup
	var calls atomic.Int64
	for range deadCallers {
		callers.Go(func() {
			for {
				select {
				case <-ended:
					return
				case <-time.After(deadPause):
				}
				resp, err := client.Get("http://" + name + "/")
				if err != nil {
					failed.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				calls.Add(1)
			}
		})
	}
	for calls.Load() < 20*deadCallers {
		if err := x.pause(deadPause); err != nil {
			close(ended)
			return 0, err
		}
	}
	began := time.Now()
	var err error
	if push {
		err = x.enlist(http.MethodDelete, name, at[0])
	} else {
		err = servers[0].Close()
	}
	if err == nil {
		err = x.pause(deadWindow)
	}
	close(ended)
	callers.Wait()
	if err == nil && failed.Load() > 0 {
		err = fmt.Errorf("%d calls failed though another endpoint was well", failed.Load())
	}
	return max(time.Duration(last.Load()-began.UnixNano()), 0), err
}

// enlist registers an endpoint, or takes it out.
func (x *registryCloud) enlist(method, name, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	c, err := dial("http://" + x.http)
	if err != nil {
		return err
	}
	defer c.close()
	query := url.Values{"serviceName": {name}, "ip": {host}, "port": {port}, "ephemeral": {"false"}, "accessToken": {x.token}}
	status, body, err := c.do(form(x.http, method, "/nacos/v1/ns/instance?"+query.Encode(), ""))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s of an instance: %d %s", method, status, body)
	}
	return err
}
