package consul

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/cluster/store"
)

const (
	partSize    = 256 << 10 // bytes of a value in one entry
	uploadWidth = 4         // parts under way at once
)

func (s *Store) partName(folder string, m mark, n int) string {
	return fmt.Sprintf("%s%s%s/%06d", s.root, folder, m, n)
}

// upload writes w's value in parts and leaves in w an entry that refers to them.
// Part 0 names the entry, for the janitor. The operation returned checks that it
// still stands: a transaction that carries it cannot refer to collected parts.
func (s *Store) upload(w *write) (guard *api.KVTxnOp, err error) {
	value := w.head.value
	w.head = head{mark: w.head.mark, parts: uint32((len(value) + partSize - 1) / partSize), length: uint64(len(value))}
	guard, err = s.putPart(s.partName(valueFolder, w.head.mark, 0), w.head.mark, []byte(w.name))
	if err != nil {
		return nil, err
	}
	var g errgroup.Group
	g.SetLimit(uploadWidth)
	for n := 1; len(value) > 0; n++ {
		part := value[:min(partSize, len(value))]
		value = value[len(part):]
		g.Go(func() error {
			return s.putRaw(s.partName(valueFolder, w.head.mark, n), w.head.mark, part)
		})
	}
	return guard, g.Wait()
}

// putPart writes one entry that nobody refers to yet; being sent twice does no harm.
func (s *Store) putPart(name string, m mark, value []byte) (guard *api.KVTxnOp, err error) {
	ctx, cancel := context.WithTimeout(s.life, s.config.Patience)
	defer cancel()
	ops := api.KVTxnOps{{Verb: api.KVSet, Key: name, Value: head{mark: m, value: value}.encode(name)}}
	for try := 0; ; try++ {
		results, _, err := s.attempt(ctx, try, ops)
		if err == nil && len(results) == 1 {
			return &api.KVTxnOp{Verb: api.KVCheckIndex, Key: name, Index: results[0].ModifyIndex}, nil
		}
		if err != nil && classify(err) == faultFinal {
			return nil, explain(err)
		}
		if !pause(ctx, try) {
			return nil, fmt.Errorf("no part of a large value was taken by Consul for %v: %w", s.config.Patience, store.ErrUndecided)
		}
	}
}

// putRaw is putPart without base64 and JSON, whose cost is most of a large value's.
func (s *Store) putRaw(name string, m mark, value []byte) error {
	ctx, cancel := context.WithTimeout(s.life, s.config.Patience)
	defer cancel()
	pair := &api.KVPair{Key: name, Value: head{mark: m, value: value}.encode(name)}
	for try := 0; ; try++ {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout<<min(try, 4))
		_, err := s.client.KV().Put(pair, (&api.WriteOptions{}).WithContext(attempt))
		cancel()
		switch {
		case err == nil:
			return nil
		case classify(err) == faultFinal:
			return explain(err)
		case !pause(ctx, try):
			return fmt.Errorf("no part of a large value was taken by Consul for %v: %w", s.config.Patience, store.ErrUndecided)
		}
	}
}

// getRaw reads one entry likewise; nil if it is absent.
func (s *Store) getRaw(ctx context.Context, name string) (raw []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	once := func(try int) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, attemptTimeout<<min(try, 4))
		defer cancel()
		resp, err := s.getKeys(ctx, name, "?raw&consistent")
		if err != nil {
			return nil, err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode == http.StatusNotFound {
			return nil, nil
		}
		return io.ReadAll(resp.Body)
	}
	for try := 0; ; try++ {
		raw, err := once(try)
		if err == nil {
			return raw, nil
		}
		if classify(err) == faultFinal || !pause(ctx, try) {
			return nil, explain(err)
		}
		s.transport.move()
	}
}

// assemble reads the value that h refers to. Whole is false if a part is gone:
// then the entry has been replaced meanwhile.
func (s *Store) assemble(ctx context.Context, name string, h head) (value []byte, whole bool, err error) {
	value = make([]byte, 0, h.length)
	for n := 1; n <= int(h.parts); n++ {
		part := s.partName(valueFolder, h.mark, n)
		raw, err := s.getRaw(ctx, part)
		if err != nil || raw == nil {
			return nil, false, err
		}
		p, err := decodeHead(part, raw)
		if err != nil {
			return nil, false, err
		}
		value = append(value, p.value...)
	}
	if uint64(len(value)) != h.length {
		return nil, false, corrupt(name, "its parts have another length")
	}
	return value, true, nil
}

// drop removes a folder that nobody refers to, some time soon, if guards hold.
func (s *Store) drop(folder string, guards ...*api.KVTxnOp) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.open.Err() != nil {
		return // the janitor of another process will find it
	}
	s.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(s.open, s.config.Patience)
		defer cancel()
		for try := 0; ; try++ {
			_, _, err := s.attempt(ctx, try, append(guards, &api.KVTxnOp{Verb: api.KVDeleteTree, Key: folder}))
			if err == nil || !pause(ctx, try) {
				return
			}
		}
	})
}

const largeAge = 5 * time.Minute // half the janitor's grace: a slower one gives up
