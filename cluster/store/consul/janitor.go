package consul

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	janitorPause = 5 * time.Minute
	grace        = 10 * time.Minute // parts that nobody refers to for so long are leaked
	maxFolders   = 4096             // looked at in one round
)

// janitor removes what a crashed writer has left behind: parts of values and
// chunks of transactions that no entry refers to. Everybody's store has one; two
// at once do no harm.
func (s *Store) janitor() {
	seen := map[string]time.Time{}
	t := time.NewTicker(janitorPause)
	defer t.Stop()
	for {
		_, _ = s.sweep(s.open, seen, grace) // the next round is as good
		select {
		case <-t.C:
		case <-s.open.Done():
			return
		}
	}
}

// sweep is one round. Seen says since when each folder is known; what is older
// than age and belongs to nobody goes.
func (s *Store) sweep(ctx context.Context, seen map[string]time.Time, age time.Duration) (removed int, err error) {
	// What is decided is written first: chunks refer to parts, too.
	if _, err := s.lookNow(ctx, nil); err != nil {
		return 0, err
	}
	now, there := time.Now(), map[string]bool{}
	for _, kind := range []string{valueFolder, chunkFolder} {
		folders, err := s.folders(ctx, s.root+kind)
		if err != nil {
			return removed, err
		}
		for _, folder := range folders {
			there[folder] = true
			if _, ok := seen[folder]; !ok {
				seen[folder] = now
			}
			if now.Sub(seen[folder]) < age {
				continue
			}
			gone, err := s.collect(ctx, kind, folder)
			if err != nil {
				return removed, err
			}
			if gone {
				removed++
			}
		}
	}
	for folder := range seen {
		if !there[folder] {
			delete(seen, folder)
		}
	}
	return removed, nil
}

// folders are the names of the folders in one, maxFolders at most.
func (s *Store) folders(ctx context.Context, name string) (names []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	resp, err := s.getKeys(ctx, name, "?keys&separator=/&consistent")
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	all, err := decodeNames(resp.Body, maxFolders)
	return slices.DeleteFunc(all, func(name string) bool { return !strings.HasSuffix(name, "/") }), err
}

// collect removes a folder if nobody refers to it, and makes sure of that in the
// same transaction.
func (s *Store) collect(ctx context.Context, kind, folder string) (bool, error) {
	guard, err := s.orphan(ctx, kind, folder)
	if err != nil || guard == nil {
		return false, err
	}
	_, errs, err := s.attempt(ctx, 0, api.KVTxnOps{guard, {Verb: api.KVDeleteTree, Key: folder}})
	return err == nil && len(errs) == 0, err
}

// orphan is a check that the folder belongs to nobody; nil if it belongs to somebody.
func (s *Store) orphan(ctx context.Context, kind, folder string) (*api.KVTxnOp, error) {
	m := strings.TrimSuffix(strings.TrimPrefix(folder, s.root+kind), "/")
	owner := s.root + redoFolder + m
	if kind == valueFolder {
		first := folder + "000000"
		pairs, err := s.read(ctx, 0, api.KVTxnOps{{Verb: api.KVGetOrEmpty, Key: first}})
		if err != nil {
			return nil, err
		}
		h, err := decodeHead(first, pairs[0].Value)
		if absent(pairs[0]) {
			return &api.KVTxnOp{Verb: api.KVCheckNotExists, Key: first}, nil
		}
		if err != nil {
			return nil, err
		}
		owner = string(h.value)
	}
	pairs, err := s.read(ctx, 0, api.KVTxnOps{{Verb: api.KVGetOrEmpty, Key: owner}})
	if err != nil {
		return nil, err
	}
	if absent(pairs[0]) {
		return &api.KVTxnOp{Verb: api.KVCheckNotExists, Key: owner}, nil
	}
	h, err := decodeHead(owner, pairs[0].Value)
	if err != nil || h.mark.String() == m {
		return nil, err
	}
	return &api.KVTxnOp{Verb: api.KVCheckIndex, Key: owner, Index: pairs[0].ModifyIndex}, nil
}
