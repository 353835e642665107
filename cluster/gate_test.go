package cluster_test

import (
	"context"
	"sync"

	"github.com/troupe-cloud/troupe/cluster/store"
)

// gate is a store whose commits wait until they are let through, and may be
// made to fail before or after they are done.
type gate struct {
	store.Store
	entered chan store.Txn // a commit has come
	mu      sync.Mutex
	passes  chan struct{} // nil: open
	before  func() error  // an error keeps the commit from being done
	after   func() error  // an error hides that it was
}

func newGate(s store.Store) *gate {
	return &gate{Store: s, entered: make(chan store.Txn, 100)}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passes = make(chan struct{}, 1000)
}

// open lets everything through.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.passes)
	g.passes = nil
}

func (g *gate) pass() { g.passes <- struct{}{} }

func (g *gate) fail(before, after func() error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.before, g.after = before, after
}

func (g *gate) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	g.mu.Lock()
	passes, before, after := g.passes, g.before, g.after
	g.mu.Unlock()
	select {
	case g.entered <- txn:
	default:
	}
	if passes != nil {
		<-passes
	}
	if before != nil {
		if err := before(); err != nil {
			return 0, err
		}
	}
	rev, err := g.Store.Commit(ctx, txn)
	if err == nil && after != nil {
		err = after()
	}
	return rev, err
}

// once is an error the first time and nil from then on.
func once(err error) func() error {
	var o sync.Once
	return func() (got error) {
		o.Do(func() { got = err })
		return got
	}
}
