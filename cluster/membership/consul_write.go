package membership

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Join is Table's: a session, and an entry that it locks, which must not have
// been there.
//
// The Epoch is the index at which the entry was made, plus what the record says:
// nothing, unless Consul has forgotten everything and counts from one again. Then
// this process goes on from the epoch that it, or a member, had before.
func (t *Consul) Join(ctx context.Context, m view.Member) (view.Member, error) {
	before, err := t.Read(ctx)
	if err != nil {
		return m, err
	}
	if other, taken := before.ByName(m.Name); taken {
		return m, &NameTaken{other}
	}
	for _, other := range before.Members {
		m.Epoch = max(m.Epoch, other.Epoch)
	}
	if m.Epoch <= before.Index {
		m.Epoch = 0
	}
	value, err := encodeRecord(m)
	if err != nil {
		return m, err
	}
	session, _, err := t.client.Session().CreateNoChecks(&api.SessionEntry{
		Name: "troupe member " + m.Name, TTL: sessionTTL.String(), Behavior: api.SessionBehaviorDelete, LockDelay: lockDelay,
	}, writing(ctx))
	if err != nil {
		return m, t.failed(ctx, "open a session in Consul", err)
	}
	joined, err := t.register(ctx, m, session, value)
	if err != nil {
		// Without its session the registration cannot be made any more, even if it
		// still waits somewhere.
		t.dropSession(session)
		return m, err
	}
	t.setSession(m, session)
	return joined, nil
}

func (t *Consul) register(ctx context.Context, m view.Member, session string, value []byte) (view.Member, error) {
	results, err := t.txn(ctx, "register in Consul", api.TxnOps{
		{KV: &api.KVTxnOp{Verb: api.KVCheckNotExists, Key: t.key(m)}},
		{KV: &api.KVTxnOp{Verb: api.KVLock, Key: t.key(m), Value: value, Session: session}},
	})
	var no *refusal
	switch {
	case errors.As(err, &no) && no.denied():
		return m, fmt.Errorf("the Consul token may not write %s: %w", t.key(m), messages.Denied)
	case errors.As(err, &no):
		return m, t.occupied(ctx, m)
	case err != nil:
		return m, err
	}
	for _, r := range results {
		if r.KV != nil {
			m.Epoch += r.KV.CreateIndex
			return m, nil
		}
	}
	return m, fmt.Errorf("Consul did not say what it registered: %w", messages.Internal)
}

// occupied says who has the name, or makes room if nobody has.
func (t *Consul) occupied(ctx context.Context, m view.Member) error {
	pair, _, err := t.client.KV().Get(t.key(m), strict(ctx))
	if err != nil {
		return t.failed(ctx, "ask Consul who has the name", err)
	}
	if pair != nil {
		if other, ok := t.member(pair); ok {
			return &NameTaken{other}
		}
		if _, _, err := t.client.KV().DeleteCAS(pair, writing(ctx)); err != nil {
			return t.failed(ctx, "remove an entry that is no member's", err)
		}
	}
	return fmt.Errorf("the name %s has just become free: %w", m.Name, messages.Unavailable)
}

// dropSession ends a session, and so deletes what it locks.
func (t *Consul) dropSession(session string) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if _, err := t.client.Session().Destroy(session, writing(ctx)); err != nil {
		t.log.Debug().Err(err).Msg("a session was not ended, Consul will do that")
	}
}

// Update is Table's.
func (t *Consul) Update(ctx context.Context, m view.Member) error {
	for range updateTries {
		pair, _, err := t.client.KV().Get(t.key(m), strict(ctx))
		if err != nil {
			return t.failed(ctx, "read the own record in Consul", err)
		}
		if !t.mine(pair, m) {
			return ErrGone
		}
		record, _ := decodeRecord(m.Name, pair.Value) // it is mine, so it can be read
		record.Hosts, record.Leaving = m.Hosts, m.Leaving
		value, err := encodeRecord(record)
		if err != nil {
			return err
		}
		_, err = t.txn(ctx, "write the own record in Consul", api.TxnOps{
			{KV: &api.KVTxnOp{Verb: api.KVCheckSession, Key: pair.Key, Session: pair.Session}},
			{KV: &api.KVTxnOp{Verb: api.KVCAS, Key: pair.Key, Value: value, Index: pair.ModifyIndex}},
		})
		var no *refusal
		if !errors.As(err, &no) {
			return err
		}
	}
	return fmt.Errorf("the own record in Consul does not stand still: %w", messages.Unavailable)
}

// Evict is Table's. First the entry goes, by compare-and-set and only if the
// evictor is a member itself; then the session behind it, which is of no
// more use: whoever has it could not lock the entry without registering anew.
// In the other order the deletion would depend on nothing.
func (t *Consul) Evict(ctx context.Context, by, m view.Member) error {
	pair, _, err := t.client.KV().Get(t.key(m), strict(ctx))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntouched, t.failed(ctx, "read the record of "+m.ID, err))
	}
	if pair == nil {
		return nil
	}
	if held, err := decodeRecord(m.Name, pair.Value); err == nil && held.ID != m.ID {
		return nil
	}
	ops := api.TxnOps{{KV: &api.KVTxnOp{Verb: api.KVDeleteCAS, Key: pair.Key, Index: pair.ModifyIndex}}}
	if by.ID != "" {
		session := t.session(by)
		if session == "" {
			return fmt.Errorf("%s is no member itself: %w", by.ID, messages.Conflict)
		}
		check := &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVCheckSession, Key: t.key(by), Session: session}}
		ops = append(api.TxnOps{check}, ops...)
	}
	_, err = t.txn(ctx, "evict "+m.ID, ops)
	var no *refusal
	switch {
	case errors.As(err, &no) && by.ID != "" && no.first() == 0:
		return fmt.Errorf("%s is no member itself: %w", by.ID, messages.Conflict)
	case errors.As(err, &no):
		return fmt.Errorf("%w: the record of %s has just changed: %w", ErrUntouched, m.ID, messages.Unavailable)
	case err != nil:
		return err
	}
	if pair.Session != "" {
		t.dropSession(pair.Session)
	}
	return nil
}

// Leave is Table's.
func (t *Consul) Leave(ctx context.Context, m view.Member) error {
	session := t.session(m)
	if session == "" {
		return nil
	}
	// The session was made for this registration alone, and takes the entry with
	// it. If it cannot be ended now it will end by itself: nobody renews it.
	t.setSession(m, "")
	if _, err := t.client.Session().Destroy(session, writing(ctx)); err != nil {
		return t.failed(ctx, "end the session in Consul", err)
	}
	return nil
}
