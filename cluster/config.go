package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// The defaults of Config.
const (
	DefaultIdleTimeout  = time.Minute
	DefaultDrainTimeout = 5 * time.Second
	DefaultLeaveTimeout = 15 * time.Second
	DefaultHostOps      = 8
	DefaultNodeOps      = 64
	DefaultSlowCommit   = 250 * time.Millisecond
)

// LargeStays is how many idle time-outs a grain of hundreds of rows stays in memory: to
// bring up the roster of a project with 100,000 servers takes a tenth of a second.
const LargeStays = 12

// Config is what a Node needs. Name, Store and Kinds must be set.
type Config struct {
	Name  string      // of this node; unique in the cloud
	Store store.Store // outlives the node: who made it closes it, after Stop
	Kinds []actors.Kind
	Log   zerolog.Logger

	// Network is the other nodes. Nil: this process is the whole cloud.
	Network Network

	// IdleTimeout is how long a grain that nobody asks stays in memory
	// (0: DefaultIdleTimeout); it goes within a quarter more. One of hundreds of
	// rows stays LargeStays times as long.
	IdleTimeout time.Duration

	// DrainTimeout is how long Stop waits for messages between grains to come
	// to rest (0: DefaultDrainTimeout). What is still under way then is in the
	// state, and goes on after the next start.
	DrainTimeout time.Duration

	// LeaveTimeout is how long Stop waits for the other nodes to take over what is
	// here (0: DefaultLeaveTimeout). After it they wait as if this one had died.
	LeaveTimeout time.Duration

	// SlowCommit is after how long queries wait no more for the commit in flight,
	// and are answered from the state before it (0: DefaultSlowCommit).
	SlowCommit time.Duration

	// HostOps and NodeOps bound the driver operations that run at once, on one
	// hypervisor and on all of this node (0: the defaults).
	HostOps, NodeOps int

	// Epoch is what a node that is the whole cloud drives its hypervisors with
	// (drivers.Fence): it grows at each start. Nil: there is but one, 1. Among other
	// members it is that of the registration.
	Epoch func() uint64

	// OnLeave is called, on a goroutine of its own, when somebody tells this node
	// to leave: it should Stop the node and end the process. Nil: refused.
	OnLeave func()

	// Prober performs actors.Probe. Nil: nothing is looked at.
	Prober Prober

	// Discard performs actors.Discard. Nil: nothing is discarded.
	Discard func(ctx context.Context, sha256 string) error
}

func (c Config) validated() (Config, error) {
	if c.Name == "" || c.Store == nil || len(c.Kinds) == 0 {
		return c, fmt.Errorf("a node needs a name, a store and kinds: %w", messages.Invalid)
	}
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{{&c.IdleTimeout, DefaultIdleTimeout}, {&c.DrainTimeout, DefaultDrainTimeout}, {&c.SlowCommit, DefaultSlowCommit}, {&c.LeaveTimeout, DefaultLeaveTimeout}} {
		if *d.value < 0 {
			return c, fmt.Errorf("a negative time-out %v: %w", *d.value, messages.Invalid)
		}
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if c.HostOps < 0 || c.NodeOps < 0 {
		return c, fmt.Errorf("a negative number of operations: %w", messages.Invalid)
	}
	if c.HostOps == 0 {
		c.HostOps = DefaultHostOps
	}
	if c.NodeOps == 0 {
		c.NodeOps = DefaultNodeOps
	}
	return c, nil
}
