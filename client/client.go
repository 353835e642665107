// Package client is how other Go programs speak to a cloud: typed calls to its
// actors and watching them, over the port that the nodes have for each other, with
// a certificate of the program's own (`troupe cluster cert client NAME`). No HTTP,
// no token, and no dependency on the runtime of the actors.
//
// It owns the connections, and what it takes that a call has one outcome while
// nodes die, leave or hand over: it asks again, elsewhere, under the same id, until
// the context ends. It decides nothing and keeps nothing of the cloud.
//
// Errors carry a kind of package messages: branch with errors.Is on
// messages.NotFound, Conflict, Exhausted, Denied, Invalid and Unavailable.
// Unavailable after the deadline leaves the outcome of a command unknown.
package client

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// DefaultTimeout bounds a call whose context has no deadline.
const DefaultTimeout = 30 * time.Second

// Config says where a cloud is and who asks.
type Config struct {
	// Addresses are HOST:PORT of nodes: their --bind (or --advertise). One is
	// enough, for the others are learned from it; several let the program start
	// while some are down.
	Addresses []string

	// Dir is the folder with ca.crt, client.crt and client.key. A certificate that
	// is replaced there is taken without a restart.
	Dir string

	// Source may stand instead of Dir, for certificates that are not in files.
	Source *pki.Source

	Log zerolog.Logger // the zero value logs nothing
}

// Client speaks to one cloud. Safe for concurrent use; make one a program.
type Client struct {
	dialer  *peer.Dialer
	name    string
	nodes   *nodes
	watches *watches
	prefix  string // of request ids
	asks    atomic.Uint64

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// Open reads the certificate and reaches a node, before ctx ends or, if it has no
// deadline, DefaultTimeout has passed. Denied: the certificate cannot be used.
func Open(ctx context.Context, config Config) (*Client, error) {
	c, err := newClient(config)
	if err != nil {
		return nil, err
	}
	if _, err := c.Members(ctx); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("no node of %s answers: %w", strings.Join(config.Addresses, ", "), err)
	}
	return c, nil
}

func newClient(config Config) (*Client, error) {
	source := config.Source
	if len(config.Addresses) == 0 || (source == nil) == (config.Dir == "") {
		return nil, fmt.Errorf("addresses of nodes and one certificate are needed: %w", messages.Invalid)
	}
	var err error
	if source == nil {
		if source, err = pki.Open(pki.ClientFiles(config.Dir), pki.Options{Log: config.Log}); err != nil {
			return nil, err
		}
	}
	if err := source.Valid(); err != nil {
		return nil, err
	}
	self := source.Self()
	if self.Role != pki.Client {
		return nil, fmt.Errorf("the certificate is %v's, and a client's is needed: %w", self, messages.Invalid)
	}
	c := &Client{name: self.Name, nodes: newNodes(config.Addresses), prefix: newPrefix()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.watches = newWatches(c)
	c.dialer, err = peer.NewDialer(peer.Config{
		Self: view.Member{Name: self.Name}, Cluster: self.Cluster, Role: peer.RoleClient, TLS: source,
		Handler: c.watches, Log: config.Log,
	})
	if err != nil {
		c.cancel()
		return nil, err
	}
	c.tasks.Go(func() { source.Keep(c.ctx) })
	c.tasks.Go(c.watches.run)
	return c, nil
}

// Close ends every call and every watch.
func (c *Client) Close() error {
	c.cancel()
	err := c.dialer.Close()
	c.tasks.Wait()
	return err
}

// prefixLength is how much chance is in the request ids of one Client, in characters.
const prefixLength = 12

func newPrefix() string { return strings.ToLower(rand.Text()[:prefixLength]) + "-" }

type requestKey struct{}

// WithRequest marks ctx with an id of the program's own for what it is about. The
// histories of instances show it, and the same command asked of the same actor
// twice under one id is done once.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}
