// Package consultest owns real Consul servers for tests and benchmarks: it starts
// them on free loopback ports, kills, restarts and wipes them, and ends them by
// their process ids. It knows nothing of what is stored in them.
package consultest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	startTimeout   = 60 * time.Second // until there is a leader; the machine may be busy
	stopTimeout    = 20 * time.Second // of a graceful stop, before it is killed
	confirmTimeout = 5 * time.Second  // of one question who leads; a paused server does not answer
	pollPause      = 20 * time.Millisecond

	// Token has every permission where Options.ACL is set.
	Token = "8e3a3c0e-57d5-4c0f-9b4c-6f6d2a5f7c11"
)

// Options say what to start. The zero Options are one server without TLS or
// access control, that keeps its state on disk.
type Options struct {
	Servers int  // 1 or 3; 0 is 1
	ACL     bool // deny all but Token
	TLS     bool // HTTPS only, for clients with a certificate of the same CA
	Dev     bool // keeps nothing on disk: faster, and empty after a restart

	// Dir is where the servers keep their files. Start makes one of its own.
	Dir string
}

// Cluster is the servers. Its methods are for one goroutine.
type Cluster struct {
	o       Options
	servers []*server
	tls     files
}

// Start starts servers that end with t. It fails t if there is no Consul to run.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	c, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// New starts servers in o.Dir and waits for their leader. The caller ends them
// with Close.
func New(ctx context.Context, o Options) (*Cluster, error) {
	o.Servers = cmp.Or(o.Servers, 1)
	if o.Servers != 1 && (o.Servers != 3 || o.Dev) {
		return nil, fmt.Errorf("%d Consul servers (dev: %v): 1 or 3 can be started, and dev only alone", o.Servers, o.Dev)
	}
	binary, err := Binary(ctx)
	if err != nil {
		return nil, err
	}
	c := &Cluster{o: o}
	if o.TLS {
		if c.tls, err = makeCertificates(o.Dir); err != nil {
			return nil, err
		}
	}
	ports, err := FreePorts(o.Servers * portsEach)
	if err != nil {
		return nil, err
	}
	for i := range o.Servers {
		c.servers = append(c.servers, &server{
			binary: binary, dir: filepath.Join(o.Dir, "consul-"+strconv.Itoa(i)), ports: ports[i*portsEach:][:portsEach], dev: o.Dev,
		})
	}
	for i, s := range c.servers {
		if err := errors.Join(s.configure(c.config(i)), s.start()); err != nil {
			c.Close()
			return nil, err
		}
	}
	if err := c.WaitLeader(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Addr is HOST:PORT of the HTTP API of the first server.
func (c *Cluster) Addr() string { return c.Addrs()[0] }

// Addrs are HOST:PORT of every server.
func (c *Cluster) Addrs() []string {
	var all []string
	for _, s := range c.servers {
		all = append(all, s.addr())
	}
	return all
}

// Token is the token with every permission; "" without ACL.
func (c *Cluster) Token() string {
	if c.o.ACL {
		return Token
	}
	return ""
}

// CA, Cert and Key are files for a client; "" without TLS.
func (c *Cluster) CA() string   { return c.tls.ca }
func (c *Cluster) Cert() string { return c.tls.cert }
func (c *Cluster) Key() string  { return c.tls.key }

// Client speaks to server i with every permission.
func (c *Cluster) Client(i int) *api.Client {
	config := api.DefaultNonPooledConfig()
	config.Address, config.Token = c.servers[i].addr(), c.Token()
	if c.o.TLS {
		config.Scheme = "https"
		config.TLSConfig = api.TLSConfig{CAFile: c.tls.ca, CertFile: c.tls.cert, KeyFile: c.tls.key}
	}
	client, err := api.NewClient(config)
	if err != nil {
		panic(err) // our own files
	}
	return client
}

// WaitLeader returns once every server that runs knows a leader and the leader
// answers a consistent read.
func (c *Cluster) WaitLeader(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for i, s := range c.servers {
		if s.cmd == nil {
			continue
		}
		client := c.Client(i)
		for {
			_, _, err := client.KV().Get("consultest", (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
			if err == nil {
				break
			}
			select {
			case <-s.ended:
				return fmt.Errorf("consul %d ended: %s", i, s.lastWords())
			case <-ctx.Done():
				return fmt.Errorf("consul %d has no leader: %w; it says: %s", i, err, s.lastWords())
			case <-time.After(pollPause):
			}
		}
	}
	return nil
}

// Leader is which server leads, as server `from` sees it. While there is none, or
// one that does not know it or has ended since, it waits; between the death of a
// leader and the next one a busy machine may take its time.
func (c *Cluster) Leader(ctx context.Context, from int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		i, err := c.leads(ctx, from)
		if err == nil {
			return i, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("consul %d: %w; it says: %s", from, err, c.servers[from].lastWords())
		case <-time.After(pollPause):
		}
	}
}

// leads asks once, and has the leader confirm it.
func (c *Cluster) leads(ctx context.Context, from int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	query := func(i int) (string, error) {
		return c.Client(i).Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx))
	}
	addr, err := query(from)
	if err != nil {
		return 0, err
	}
	for i, s := range c.servers {
		if addr != s.rpcAddr() || s.cmd == nil {
			continue
		}
		if itself, err := query(i); err != nil || itself != addr {
			return 0, fmt.Errorf("consul %d, the leader, says that it is %q: %w", i, itself, err)
		}
		return i, nil
	}
	return 0, fmt.Errorf("the leader is %q, none of ours", addr)
}

// Processes are the ids of those that run.
func (c *Cluster) Processes() []int {
	var all []int
	for _, s := range c.servers {
		if s.cmd != nil {
			all = append(all, s.cmd.Process.Pid)
		}
	}
	return all
}

// Close kills what runs.
func (c *Cluster) Close() {
	for i := range c.servers {
		c.Kill(i)
	}
}

// Binary is the consul that scripts/consul.sh names, or an error that says what
// provides one.
func Binary(ctx context.Context) (string, error) {
	path, err := findBinary(ctx)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return "", fmt.Errorf("there is no Consul to run (%w): `make consul` provides it", err)
	}
	return path, nil
}
