package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/bolt"
)

// recordBytes is the size of the value in a raw commit: about that of an
// instance's record.
const recordBytes = 1024

// rates of the machine, for the last column.
var storeRate, actorRate string

// raw measures what everything else stands on.
func raw(r *run) error {
	for _, writers := range []int{r.clients, 512} {
		n, err := commits(r.ctx, filepath.Join(r.dir, fmt.Sprintf("raw-%d.db", writers)), writers, r.during)
		if err != nil {
			return err
		}
		text := perSecond(n, "commits")
		if writers == r.clients {
			storeRate = text
		}
		r.add(fmt.Sprintf("store alone: commits with fsync, %d writers", writers), text, "", "")
	}
	n, err := cluster.RawRequestRate(r.ctx, r.clients, r.during)
	if err != nil {
		return err
	}
	actorRate = perSecond(n, "requests")
	r.add(fmt.Sprintf("protoactor alone: requests, %d callers", r.clients), actorRate, "", "")
	return nil
}

// commits is how many transactions a second so many writers get through, each
// with a check and one write, as a grain's commit has.
func commits(ctx context.Context, path string, writers int, during time.Duration) (float64, error) {
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	var all sync.WaitGroup
	var done atomic.Int64
	var failed atomic.Pointer[error]
	began := time.Now()
	for w := range writers {
		all.Go(func() {
			key, value, revision := fmt.Sprintf("grain/bench/%d", w), make([]byte, recordBytes), uint64(0)
			for ctx.Err() == nil {
				// Not ctx: a commit under way at the end is waited for.
				rev, err := s.Commit(context.WithoutCancel(ctx), store.Txn{
					Checks: []store.Check{{Key: key, Revision: revision}},
					Writes: []store.Write{{Key: key, Value: value}},
				})
				if err != nil {
					failed.Store(&err)
					return
				}
				revision = rev
				done.Add(1)
			}
		})
	}
	all.Wait()
	if e := failed.Load(); e != nil {
		return 0, *e
	}
	return float64(done.Load()) / time.Since(began).Seconds(), nil
}
