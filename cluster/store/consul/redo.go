package consul

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/cluster/store"
)

const (
	maxChunkWrites = fewOps - 3 // beside the guard of the chunk and its delete
	maxChunks      = store.MaxTxnWrites
)

// redo is a transaction that is decided: since index, its writes count.
type redo struct {
	mark   mark
	index  uint64
	chunks int
}

// writeDown stores p's chunks and adds to its operations what makes them count.
func (s *Store) writeDown(p *plan) error {
	var g errgroup.Group
	g.SetLimit(uploadWidth)
	var first *api.KVTxnOp
	put := func(n int, chunk []byte) {
		g.Go(func() error {
			guard, err := s.putPart(s.partName(chunkFolder, p.mark, n), p.mark, chunk)
			if n == 0 {
				first = guard
			}
			return err
		})
	}
	var chunk []byte
	writes, body := 0, 0
	for _, w := range p.chunked {
		raw := encodeChunked(w)
		size := bodySize(w.name, len(raw)+extraHead)
		if writes > 0 && (writes == maxChunkWrites || body+size > maxBody) {
			put(p.chunks, chunk)
			p.chunks, chunk, writes, body = p.chunks+1, nil, 0, 0
		}
		chunk, writes, body = append(chunk, raw...), writes+1, body+size
	}
	put(p.chunks, chunk)
	p.chunks++
	if err := g.Wait(); err != nil {
		return err
	}
	name := s.root + redoFolder + p.mark.String()
	value := binary.AppendUvarint(nil, uint64(p.chunks))
	p.ops = append(p.ops, first, &api.KVTxnOp{Verb: api.KVSet, Key: name, Value: head{mark: p.mark, value: value}.encode(name)})
	return nil
}

func encodeChunked(w *write) []byte {
	var raw []byte
	if !w.gone {
		raw = w.head.encode(w.name)
	}
	b := binary.AppendUvarint(nil, uint64(len(w.name)))
	b = append(b, w.name...)
	b = binary.AppendUvarint(b, uint64(len(raw)))
	return append(b, raw...)
}

// decodeChunk is the inverse for the writes of a chunk; no entry means a delete.
func decodeChunk(name string, b []byte) (writes []write, err error) {
	next := func() ([]byte, bool) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, false
		}
		field := b[size : size+int(n)]
		b = b[size+int(n):]
		return field, true
	}
	for len(b) > 0 {
		key, ok := next()
		raw, ok2 := next()
		if !ok || !ok2 || len(key) == 0 || len(writes) == maxChunkWrites {
			return nil, corrupt(name, "it is no list of writes")
		}
		w := write{name: string(key), gone: len(raw) == 0}
		if !w.gone {
			if w.head, err = decodeHead(w.name, raw); err != nil {
				return nil, err
			}
		}
		writes = append(writes, w)
	}
	return writes, nil
}

// decodeRedo reads a redo entry.
func (s *Store) decodeRedo(pair *api.KVPair) (redo, error) {
	h, err := decodeHead(pair.Key, pair.Value)
	if err != nil {
		return redo{}, err
	}
	n, size := binary.Uvarint(h.value)
	if size <= 0 || n == 0 || n > maxChunks || pair.Key != s.root+redoFolder+h.mark.String() {
		return redo{}, corrupt(pair.Key, "it is no redo entry")
	}
	return redo{h.mark, pair.ModifyIndex, int(n)}, nil
}

// finish applies every chunk of d that is left, each exactly once whoever else
// is at it, and removes the redo entry.
func (s *Store) finish(ctx context.Context, d redo) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(uploadWidth)
	for n := range d.chunks {
		g.Go(func() error { return s.applyChunk(ctx, d, n) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	name := s.root + redoFolder + d.mark.String()
	for try := 0; ; try++ {
		_, _, err := s.attempt(ctx, try, api.KVTxnOps{{Verb: api.KVDelete, Key: name}})
		if err == nil {
			return nil
		}
		if classify(err) == faultFinal || !pause(ctx, try) {
			return explain(err)
		}
	}
}

// applyChunk writes what chunk n says and deletes it in one transaction.
func (s *Store) applyChunk(ctx context.Context, d redo, n int) error {
	name := s.partName(chunkFolder, d.mark, n)
	for try := 0; ; try++ {
		pairs, err := s.readPatiently(ctx, api.KVTxnOps{{Verb: api.KVGetOrEmpty, Key: name}})
		if err != nil || absent(pairs[0]) {
			return err
		}
		h, err := decodeHead(name, pairs[0].Value)
		if err != nil {
			return err
		}
		writes, err := decodeChunk(name, h.value)
		if err != nil {
			return err
		}
		results, errs, err := s.attempt(ctx, try, chunkOps(pairs[0], writes, d.index))
		if err == nil && len(errs) == 0 {
			s.noteApplied(writes, results)
			return nil
		}
		if err != nil && classify(err) == faultFinal {
			return explain(err)
		}
		if !pause(ctx, try) {
			return fmt.Errorf("a decided transaction could not be written everywhere: %w", store.ErrUnknown)
		}
	}
}

func chunkOps(chunk *api.KVPair, writes []write, revision uint64) api.KVTxnOps {
	ops := api.KVTxnOps{{Verb: api.KVCheckIndex, Key: chunk.Key, Index: chunk.ModifyIndex}}
	for i := range writes {
		w := &writes[i]
		if w.gone {
			ops = append(ops, &api.KVTxnOp{Verb: api.KVDelete, Key: w.name})
			continue
		}
		w.head.revision = revision
		ops = append(ops, &api.KVTxnOp{Verb: api.KVSet, Key: w.name, Value: w.head.encode(w.name)})
	}
	return append(ops, &api.KVTxnOp{Verb: api.KVDelete, Key: chunk.Key})
}

func (s *Store) noteApplied(writes []write, results api.KVPairs) {
	index := make(map[string]uint64, len(results))
	for _, p := range results {
		index[p.Key] = p.ModifyIndex
	}
	for i := range writes {
		s.overwritten(&writes[i], index[writes[i].name])
	}
}
