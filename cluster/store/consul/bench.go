package consul

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/cluster/store"
)

const (
	rateRounds  = 3 // of each, by turns: a machine has better and worse moments
	rateTime    = 1500 * time.Millisecond
	rawClients  = 8
	rateWriters = 512
	rateValue   = 1024 // bytes
)

// ConsulRates measures, on the Consul at addr, how many compare-and-set
// operations a second raw transactions of 64 reach with 8 clients, and how many
// commits a second the store with 512 writers, each of values of 1 KiB. It
// leaves nothing behind.
func ConsulRates(ctx context.Context, addr string) (raw, commits float64, err error) {
	config := Config{Address: addr, Prefix: fmt.Sprintf("troupe-rates-%d", time.Now().UnixNano())}
	s, err := Open(ctx, config)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		_, _ = s.client.KV().DeleteTree(s.root, nil) // what is left is in a folder of its own
		_ = s.Close()
	}()
	rawState, storeState := newRawRate(s), make([]uint64, rateWriters)
	for range rateRounds {
		r, err := during(ctx, rawState.clients)
		if err != nil {
			return 0, 0, err
		}
		c, err := during(ctx, storeWriters(s, storeState))
		if err != nil {
			return 0, 0, err
		}
		raw, commits = raw+r/rateRounds, commits+c/rateRounds
	}
	return raw, commits, nil
}

// during runs workers that count what they do until their context ends.
func during(ctx context.Context, workers func(ctx context.Context, g *errgroup.Group, done *atomic.Int64)) (perSecond float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, rateTime)
	defer cancel()
	var g errgroup.Group
	var done atomic.Int64
	began := time.Now()
	workers(ctx, &g, &done)
	err = g.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), err
}

// rawRate is what the raw clients know of their keys.
type rawRate struct {
	s     *Store
	index [rawClients][fewOps]uint64
	count atomic.Uint64
}

func newRawRate(s *Store) *rawRate { return &rawRate{s: s} }

func (r *rawRate) clients(ctx context.Context, g *errgroup.Group, done *atomic.Int64) {
	for c := range rawClients {
		g.Go(func() error {
			for ctx.Err() == nil {
				ops := make(api.KVTxnOps, fewOps)
				for i := range ops {
					value := make([]byte, rateValue)
					binary.BigEndian.PutUint64(value, r.count.Add(1))
					ops[i] = &api.KVTxnOp{Verb: api.KVCAS, Key: fmt.Sprintf("%sraw/%d/%d", r.s.root, c, i), Index: r.index[c][i], Value: value}
				}
				results, errs, err := r.s.attempt(context.WithoutCancel(ctx), 0, ops)
				if err != nil || len(errs) > 0 {
					return fmt.Errorf("raw transaction: %w %v", err, errs)
				}
				for i, p := range results {
					r.index[c][i] = p.ModifyIndex
				}
				done.Add(fewOps)
			}
			return nil
		})
	}
}

// storeWriters commit one after the other, each to a key of its own.
func storeWriters(s *Store, revisions []uint64) func(context.Context, *errgroup.Group, *atomic.Int64) {
	return func(ctx context.Context, g *errgroup.Group, done *atomic.Int64) {
		for w := range revisions {
			g.Go(func() error {
				var value [rateValue]byte
				var answered sync.WaitGroup
				for ctx.Err() == nil {
					key, failed := fmt.Sprintf("grain/rate/%d", w), error(nil)
					txn := store.Txn{
						Checks: []store.Check{{Key: key, Revision: revisions[w]}},
						Writes: []store.Write{{Key: key, Value: value[:]}},
					}
					answered.Add(1)
					s.Submit(txn, func(revision uint64, err error) {
						revisions[w], failed = revision, err
						answered.Done()
					})
					if answered.Wait(); failed != nil {
						return failed
					}
					done.Add(1)
				}
				return nil
			})
		}
	}
}
