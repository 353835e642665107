package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/bolt"
	"github.com/troupe-cloud/troupe/cluster/store/copy"
	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
	"github.com/troupe-cloud/troupe/gateway/openstack/image"
)

// nodeName is the name of the one node of `troupe dev`.
const nodeName = "dev"

// actorIdleTime is how long an actor that nobody asks stays in memory. Waking one
// costs a few reads of an embedded store, so there is no need to keep many: a
// client that looks at its server every few seconds keeps just that one awake. Each
// that is kept is walked through by every collection: at a thousand creates a second,
// twenty seconds of them took half a second of a processor, every four seconds. Large
// ones, which take long to wake, stay cluster.LargeStays times as long.
const actorIdleTime = 5 * time.Second

// contents are those of images: what the gateway needs of them, and the drivers.
type contents interface {
	image.Blobs
	drivers.Images
	Sweep(ctx context.Context, wanted blobs.Referenced) (int, error)
}

// cloud is everything that runs in one process. What was opened is closed in
// the opposite order.
type cloud struct {
	config      cloudConfig
	log         zerolog.Logger
	url         string
	hypervisors string // for the ready line
	failed      chan error
	told        chan struct{} // to end, by another node

	server    *http.Server // nil: no gateway
	front     front
	identity  *identity.Identity // with the gateway
	tokens    *identity.Keys
	registry  *registryListen // nil: no registry
	store     store.Store
	release   func() error // gives back memory that the store has mapped
	blobs     contents
	keys      identity.KeyStore
	node      *cluster.Node
	client    *cluster.Client
	networkID string
	guests    guests
	member    *member // nil: this process is the whole cloud

	closers []closer
}

type closer struct {
	what string
	do   func(context.Context) error
}

func (c *cloud) onStop(what string, do func(context.Context) error) {
	c.closers = append(c.closers, closer{what, do})
}

// stop closes everything, newest first, and says what did not end well.
func (c *cloud) stop(ctx context.Context) error {
	var all []error
	for i := len(c.closers) - 1; i >= 0; i-- {
		if err := c.closers[i].do(ctx); err != nil {
			all = append(all, fmt.Errorf("%s: %w", c.closers[i].what, err))
		}
	}
	c.closers = nil
	return errors.Join(all...)
}

// part is one thing of which a cloud is put together.
type part struct {
	what  string
	start func(context.Context) error
}

// startCloud starts a cloud of one process.
func startCloud(ctx context.Context, config cloudConfig, log zerolog.Logger) (*cloud, error) {
	c := &cloud{config: config, log: log, failed: make(chan error, 1), told: make(chan struct{}, 1)}
	return c, c.start(ctx, []part{
		{"listen", c.bind},
		{"registry", c.bindRegistry},
		{"data folder", c.openData},
		{"runtime", c.startNode},
		{"first start", c.furnish},
		{"hypervisors", c.attachHosts},
		{"profiler", c.profile},
		{"HTTP", c.serve},
		{"registry", c.serveRegistry},
	})
}

// start starts the parts in order. If one cannot start, the others are stopped.
func (c *cloud) start(ctx context.Context, parts []part) error {
	for _, p := range parts {
		if err := p.start(ctx); err != nil {
			ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
			defer cancel()
			return errors.Join(fmt.Errorf("%s: %w", p.what, err), c.stop(ctx))
		}
	}
	return nil
}

// openData opens the store and the contents of images. QEMU may run as another
// user: it must get through the folder, but cannot list it.
func (c *cloud) openData(ctx context.Context) error {
	if err := os.MkdirAll(c.config.Data, 0o711); err != nil {
		return err
	}
	db, err := bolt.Open(filepath.Join(c.config.Data, storeFile), bolt.Options{})
	if err != nil {
		return err
	}
	c.store, c.release = db, db.Release
	c.onStop("store", func(context.Context) error { return db.Close() })
	if err := copy.Unfinished(ctx, db); err != nil {
		return err
	}
	c.keys = identity.FileKeys(c.config.Data)
	c.blobs, err = blobs.Open(filepath.Join(c.config.Data, imagesDir))
	return err
}

// imagesDir is where contents of images are, in the data folder.
const imagesDir = "images"

func (c *cloud) startNode(ctx context.Context) error {
	epoch, err := nextEpoch(c.config.Data)
	if err != nil {
		return err
	}
	return c.runNode(ctx, cluster.Config{
		Name: nodeName, IdleTimeout: actorIdleTime, Epoch: func() uint64 { return epoch },
	})
}

// runNode starts the runtime; what is the same for all is filled in.
func (c *cloud) runNode(ctx context.Context, config cluster.Config) error {
	config.Store, config.Kinds, config.Log = c.store, kinds(scheduler.Mode(c.config.SchedulerMode)), c.log
	config.Prober = c.prober()
	config.Discard = func(ctx context.Context, sha256 string) error {
		return c.blobs.Discard(ctx, sha256, image.Wanted(c.client))
	}
	node, err := cluster.Start(ctx, config)
	if err != nil {
		return err
	}
	c.node, c.client = node, node.Client()
	c.onStop("runtime", node.Stop)
	c.giveBackMemory()
	// What was uploaded when a crash came before an image knew of it.
	if n, err := c.blobs.Sweep(ctx, image.Wanted(c.client)); err != nil {
		return err
	} else if n > 0 {
		c.log.Info().Int("contents", n).Msg("removed uploads that no image refers to")
	}
	return nil
}

// giveBackMemory keeps an idle cloud small.
func (c *cloud) giveBackMemory() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c.onStop("memory", func(context.Context) error {
		cancel()
		<-done
		return nil
	})
	go func() {
		defer close(done)
		giveBack(ctx, func() activity {
			s := c.client.Stats()
			a := activity{steps: s.Steps, work: work(), held: held()}
			for _, n := range s.Actors {
				a.live += n
			}
			return a
		}, func() {
			besides(func() {
				runtime.GC() // pools let go only at the second collection
				debug.FreeOSMemory()
			})
			if err := c.release(); err != nil {
				c.log.Debug().Err(err).Msg("the store's memory was not given back")
			}
			if err := releasePages(); err != nil {
				c.log.Debug().Err(err).Msg("the program's own pages were not given back")
			}
		})
	}()
}

// listen serves on l until the cloud stops.
func (c *cloud) listen(what string, l net.Listener, server *http.Server) {
	c.serveOn(what, l, server)
	c.onStop(what, shutdown(server))
}

// serveOn serves on l. A listener that breaks ends the cloud.
func (c *cloud) serveOn(what string, l net.Listener, server *http.Server) {
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			select {
			case c.failed <- fmt.Errorf("%s: %w", what, err):
			default:
			}
		}
	}()
}

// shutdown has requests under way end, for a while.
func shutdown(server *http.Server) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, drainTimeout)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return errors.Join(err, server.Close())
		}
		return nil
	}
}

// drainTimeout is how long requests under way may take to end.
const drainTimeout = 8 * time.Second
