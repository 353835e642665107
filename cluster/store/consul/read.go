package consul

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const maxLooks = 10 // at a value that is replaced while it is read

// absent says that get-or-empty found nothing.
func absent(p *api.KVPair) bool { return p.CreateIndex == 0 }

// read is one consistent look; all of ops see the same moment. Consul leaves out
// what the token may not read: an answer without what get-or-empty asks for is
// an error.
func (s *Store) read(ctx context.Context, try int, ops api.KVTxnOps) (api.KVPairs, error) {
	pairs, errs, err := s.attempt(ctx, try, ops)
	if err != nil || len(errs) > 0 {
		return nil, cmp.Or(err, errNonsense)
	}
	at := 0
	for _, op := range ops {
		if op.Verb != api.KVGetOrEmpty {
			continue
		}
		for at < len(pairs) && pairs[at].Key != op.Key {
			at++
		}
		if at == len(pairs) {
			return nil, api.StatusError{Code: http.StatusForbidden, Body: permissionDenied + ": the key " + op.Key + " may not be read"}
		}
	}
	return pairs, nil
}

var errNonsense = errors.New("the answer of Consul makes no sense")

// readPatiently reads again while Consul cannot be used, for Patience at most.
func (s *Store) readPatiently(ctx context.Context, ops api.KVTxnOps) (api.KVPairs, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	var cause error
	for try := 0; ; try++ {
		pairs, err := s.read(ctx, try, ops)
		if err == nil {
			return pairs, nil
		}
		if cause == nil || ctx.Err() == nil {
			cause = err // rather than that the time is over
		}
		if classify(err) == faultFinal {
			return nil, explain(cause)
		}
		if s.transport.move(); !pause(ctx, try) {
			return nil, explain(cause)
		}
	}
}

// lookNow reads the stored data as of one moment. Transactions that are decided but
// not written everywhere are written first, so that readers see them whole.
func (s *Store) lookNow(ctx context.Context, ops api.KVTxnOps) (api.KVPairs, error) {
	folder := s.root + redoFolder
	ops = append(ops[:len(ops):len(ops)], &api.KVTxnOp{Verb: api.KVGetTree, Key: folder})
	for {
		pairs, err := s.readPatiently(ctx, ops)
		if err != nil {
			return nil, err
		}
		n := len(pairs)
		for n > 0 && strings.HasPrefix(pairs[n-1].Key, folder) {
			n--
		}
		if n == len(pairs) {
			return pairs, nil
		}
		for _, pair := range pairs[n:] {
			d, err := s.decodeRedo(pair)
			if err != nil {
				return nil, err
			}
			if err := s.finish(ctx, d); err != nil {
				return nil, err
			}
		}
	}
}

// Get is store.Store's.
func (s *Store) Get(ctx context.Context, key string) (store.Item, error) {
	if err := s.usable(ctx); err != nil {
		return store.Item{}, err
	}
	if key == "" {
		return store.Item{}, fmt.Errorf("no key %q: %w", key, messages.NotFound)
	}
	name := s.name(key)
	for range maxLooks {
		pairs, err := s.look(ctx, api.KVTxnOps{{Verb: api.KVGetOrEmpty, Key: name}}, 1)
		if err != nil {
			return store.Item{}, err
		}
		if absent(pairs[0]) {
			return store.Item{}, fmt.Errorf("no key %q: %w", key, messages.NotFound)
		}
		item, whole, err := s.item(ctx, pairs[0])
		if err != nil || whole {
			return item, err
		}
	}
	return store.Item{}, corrupt(name, "parts of its value are missing")
}

// item decodes an entry of the data folder. Whole is false if its value was
// replaced while it was read.
func (s *Store) item(ctx context.Context, pair *api.KVPair) (item store.Item, whole bool, err error) {
	key, err := unescape(strings.TrimPrefix(pair.Key, s.root+dataFolder))
	if err != nil {
		return item, false, err
	}
	h, err := decodeHead(pair.Key, pair.Value)
	if err != nil {
		return item, false, err
	}
	s.known.note(pair.Key, h, pair.ModifyIndex)
	item = store.Item{Key: key, Value: h.value, Revision: pair.ModifyIndex}
	if h.revision != 0 {
		item.Revision = h.revision
	}
	if h.parts != 0 {
		item.Value, whole, err = s.assemble(ctx, pair.Key, h)
		return item, whole, err
	}
	return item, true, nil
}
