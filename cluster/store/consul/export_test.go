package consul

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-cloud/troupe/cluster/store"
)

// For the tests of package consul_test.
const (
	MaxPayload     = maxOps - reservedOps
	FewPayload     = fewOps - reservedOps
	MaxInline      = maxInline
	MaxLargeChecks = maxLargeChecks
	SplitAt        = splitAt
)

var DefaultPatience = defaultPatience

// Sweep is one round of the janitor for everything that has no owner.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	return s.sweep(ctx, map[string]time.Time{}, 0)
}

// DieDeciding commits a large transaction and stops as a process does that dies:
// before the decision, or right after it.
func (s *Store) DieDeciding(txn store.Txn, decided bool) error {
	r := s.newRequest(txn, nil)
	guards, err := s.uploadValues(r)
	if err != nil {
		return err
	}
	p := s.plan(r, guards)
	if p.chunked == nil {
		return errors.New("the transaction is not large enough")
	}
	if err := s.writeDown(p); err != nil || !decided {
		return err
	}
	l := <-s.lanes
	defer func() { s.lanes <- l }()
	_, failed, _, err := l.send(time.Now().Add(s.config.Patience), p.ops)
	if failed != nil {
		return store.ErrStale
	}
	return err
}
