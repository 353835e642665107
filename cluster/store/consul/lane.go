package consul

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
)

const (
	attemptTimeout = 2500 * time.Millisecond // of the first request; doubled with every try
	minPause       = 10 * time.Millisecond
	maxPause       = 500 * time.Millisecond
)

// lane carries one transaction at a time. Its entry holds the mark of the last.
type lane struct {
	s     *Store
	name  string
	index uint64 // of its entry; 0: there is none
}

// pause waits a while, longer with every try, and says whether ctx still goes on.
func pause(ctx context.Context, try int) bool {
	d := min(minPause<<min(try, 10), maxPause)
	t := time.NewTimer(d/2 + rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// take makes the lane ours: what a predecessor of the same name has sent on it
// can no longer take place.
func (l *lane) take(ctx context.Context) error {
	for try := 0; ; try++ {
		_, err := l.void(ctx, try, "")
		if err == nil {
			return nil
		}
		if classify(err) == faultFinal || !pause(ctx, try) {
			return explain(err)
		}
	}
}

// void settles what became of the transaction that carried sent: it reads the
// entry and, if that is another's, sets a new one, after which sent can never
// take place. An error means that it is not settled.
func (l *lane) void(ctx context.Context, try int, sent string) (revision uint64, err error) {
	pairs, err := l.s.read(ctx, try, api.KVTxnOps{{Verb: api.KVGetOrEmpty, Key: l.name}})
	if err != nil {
		return 0, err
	}
	index := pairs[0].ModifyIndex
	if absent(pairs[0]) {
		index = 0
	} else if sent != "" && string(pairs[0].Value) == sent {
		l.index = index
		return index, nil
	}
	results, errs, err := l.s.attempt(ctx, try, api.KVTxnOps{{Verb: api.KVCAS, Key: l.name, Index: index, Value: []byte(l.s.newMark().String())}})
	switch {
	case err != nil:
		return 0, err
	case len(errs) > 0:
		return 0, errMoved // sent itself, or a rival of the same name: look again
	}
	l.index = results[0].ModifyIndex
	return 0, nil
}

var errMoved = errors.New("the lane's entry has moved")

// conflicts names the operations of a transaction that failed.
type conflicts struct {
	ops    map[int]bool
	fenced bool
}

// send commits ops as one transaction. Conflicts are nil if it took place. An
// error is final or wraps Unavailable: store.ErrUndecided, or store.ErrUnknown,
// after which settle must be called before the lane is used again.
func (l *lane) send(deadline time.Time, ops api.KVTxnOps) (revision uint64, failed *conflicts, sent string, err error) {
	ctx, cancel := context.WithDeadline(l.s.life, deadline)
	defer cancel()
	for try := 0; ; try++ {
		fence, err := l.s.fenceOp()
		if err != nil {
			return 0, nil, "", err
		}
		sent = l.s.newMark().String()
		head := append(make(api.KVTxnOps, 0, len(ops)+reservedOps), &api.KVTxnOp{Verb: api.KVCAS, Key: l.name, Index: l.index, Value: []byte(sent)})
		if fence != nil {
			head = append(head, fence)
		}
		results, errs, err := l.s.attempt(ctx, try, append(head, ops...))
		switch {
		case err == nil && len(errs) == 0:
			l.index = results[0].ModifyIndex
			return l.index, nil, sent, nil
		case err == nil && errs[0].OpIndex == 0:
			// Somebody took the lane. Ours did not take place: it is taken back.
			err = errMoved
			fallthrough
		case err != nil:
			revision, settled, err := l.after(ctx, err, sent)
			if err != nil || revision != 0 {
				return revision, nil, sent, err
			}
			if !settled || !pause(ctx, try) {
				return 0, nil, sent, fmt.Errorf("no commit was taken by Consul for %v: %w", l.s.config.Patience, store.ErrUndecided)
			}
		default:
			return 0, sort(errs, len(head), fence != nil), sent, nil
		}
	}
}

// after deals with a failed attempt. With a revision the transaction took place
// after all; settled means that it did not and may be sent again.
func (l *lane) after(ctx context.Context, cause error, sent string) (revision uint64, settled bool, err error) {
	switch {
	case errors.Is(cause, errMoved):
	case l.s.tooMany(cause):
		return 0, false, fmt.Errorf("%w: %w", cause, store.ErrUndecided)
	case classify(cause) == faultFinal:
		return 0, false, explain(cause)
	default:
		l.s.transport.move()
		if classify(cause) == faultUnsent {
			return 0, true, nil
		}
	}
	for try := 0; ; try++ {
		revision, err := l.void(ctx, try, sent)
		if err == nil {
			return revision, true, nil
		}
		if !pause(ctx, try) {
			return 0, false, fmt.Errorf("no answer from Consul (%w): %w", cause, store.ErrUnknown)
		}
	}
}

// settle goes on until it is known what became of sent, or the store is closed.
func (l *lane) settle(sent string) {
	for try := 0; ; try++ {
		_, err := l.void(l.s.open, try, sent)
		if err == nil || !pause(l.s.open, try) {
			return
		}
	}
}

func sort(errs api.TxnErrors, offset int, fence bool) *conflicts {
	c := &conflicts{ops: make(map[int]bool, len(errs))}
	for _, e := range errs {
		if fence && e.OpIndex == 1 {
			c.fenced = true
		}
		c.ops[e.OpIndex-offset] = true
	}
	return c
}

func (s *Store) fenceOp() (*api.KVTxnOp, error) {
	f := s.fence.Load()
	if f == nil {
		return nil, nil
	}
	key, session := (*f)()
	if session == "" {
		return nil, store.ErrFenced
	}
	return &api.KVTxnOp{Verb: api.KVCheckSession, Key: key, Session: session}, nil
}

// attempt is txn, for a bounded time: longer with every try, as a busy Consul
// needs it.
func (s *Store) attempt(ctx context.Context, try int, ops api.KVTxnOps) (api.KVPairs, api.TxnErrors, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout<<min(try, 4))
	defer cancel()
	return s.txn(ctx, ops)
}

// txn sends ops as they are.
func (s *Store) txn(ctx context.Context, ops api.KVTxnOps) (api.KVPairs, api.TxnErrors, error) {
	ok, body, err := s.post(ctx, encodeTxn(make([]byte, 0, sizeTxn(ops)), ops))
	if err != nil {
		return nil, nil, err
	}
	pairs, failed, err := decodeTxn(body)
	if err != nil || !ok && len(failed) == 0 || ok && len(failed) > 0 {
		return nil, nil, cmp.Or(err, errNonsense)
	}
	for _, e := range failed {
		if strings.Contains(e.What, permissionDenied) {
			return nil, nil, api.StatusError{Code: http.StatusForbidden, Body: e.What}
		}
	}
	return pairs, failed, nil
}

// post sends the body of a transaction; ok says that it was done. Other answers than
// done and not done are errors of the transport.
func (s *Store) post(ctx context.Context, body []byte) (ok bool, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, s.transport.base+"/v1/txn?consistent", bytes.NewReader(body))
	if err != nil {
		return false, nil, fmt.Errorf("%w: %w", errNonsense, err)
	}
	r.Header.Set("Content-Type", "application/json")
	if s.transport.token != "" {
		r.Header.Set("X-Consul-Token", s.transport.token)
	}
	resp, err := (&http.Client{Transport: s.transport}).Do(r)
	if err != nil {
		return false, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var text bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= maxResponse {
		text.Grow(int(n) + bytes.MinRead)
	}
	_, err = text.ReadFrom(resp.Body)
	return resp.StatusCode == http.StatusOK, text.Bytes(), err
}

// permissionDenied is how acl.PermissionDeniedError begins (Consul's acl/errors.go).
const permissionDenied = "Permission denied"
