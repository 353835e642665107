package images

import (
	"context"
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

var errBatch = fmt.Errorf("one question is about at most %d contents: %w", maxBatch, messages.Invalid)

func errName(sha256 string) error {
	return fmt.Errorf("%.80q is not the name of a content: %w", sha256, messages.Invalid)
}

// reader reads at offsets of a content, or of the pieces of it that are here.
type readFunc func(b []byte, off int64) (int, error)

// serveFetch gives a part of a content away, or says who else may.
func (i *Images) serveFetch(ctx context.Context, in *messages.FetchBlob, send func(*messages.BlobChunk) error) error {
	if err := named(in.Sha256); err != nil {
		return err
	}
	first := &messages.BlobChunk{Others: i.seekers.others(in.Sha256, in.From)}
	i.seekers.add(in.Sha256, in.From)
	held := &messages.BlobHeld{}
	if i.partOf(in.Sha256, held) {
		first.Pieces = held.Pieces
	}
	first.Given = i.seekers.given(in.Sha256, in.Offset, in.From)
	passed := len(first.Given) >= giveFreely && !in.Insist
	if i.serving.Add(1) > int64(i.limits.MaxServes) || passed {
		i.serving.Add(-1)
		i.counters.busy.Add(1)
		first.Busy = true
		return send(first)
	}
	defer i.serving.Add(-1)
	read, size, end, err := i.source(ctx, in.Sha256)
	if err != nil {
		return err
	}
	defer end()
	if in.Offset < 0 || in.Length <= 0 || in.Offset > size || in.Length > size-in.Offset {
		return fmt.Errorf("%d bytes from %d are not in a content of %d: %w", in.Length, in.Offset, size, messages.Invalid)
	}
	if err := i.send(ctx, in, first, read, send); err != nil {
		return err
	}
	i.seekers.gave(in.Sha256, in.Offset, in.From)
	return nil
}

// source opens what is here of a content.
func (i *Images) source(ctx context.Context, sha256 string) (read readFunc, size int64, end func(), err error) {
	if size, ok := i.local.Has(sha256); ok {
		f, err := i.local.Open(ctx, sha256)
		if err != nil {
			return nil, 0, nil, err
		}
		return f.ReadAt, size, func() { _ = f.Close() }, nil
	}
	if p, ok := i.local.Partial(sha256); ok {
		return p.ReadPiece, p.Sums().Size, func() {}, nil
	}
	return nil, 0, nil, fmt.Errorf("content %s is not stored here: %w", sha256, messages.NotFound)
}

func (i *Images) send(ctx context.Context, in *messages.FetchBlob, m *messages.BlobChunk, read readFunc, send func(*messages.BlobChunk) error) error {
	for off, left := in.Offset, in.Length; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.Data = make([]byte, min(left, sendBytes)) // gRPC may keep it after send
		n, err := read(m.Data, off)
		if n < len(m.Data) {
			return fmt.Errorf("content %s cannot be read: %w", in.Sha256, err)
		}
		if err := send(m); err != nil {
			return err
		}
		i.counters.served.Add(int64(n))
		off, left, m = off+int64(n), left-int64(n), &messages.BlobChunk{}
	}
	return nil
}

// packBits and unpackBits are which pieces are here, on the wire.
func packBits(have []bool) []byte {
	out := make([]byte, (len(have)+7)/8)
	for n, yes := range have {
		if yes {
			out[n/8] |= 1 << (n % 8)
		}
	}
	return out
}

// unpackBits takes what is missing at the end for absent, and what is too much for nothing.
func unpackBits(raw []byte, n int) []bool {
	have := make([]bool, n)
	for i := range min(n, 8*len(raw)) {
		have[i] = raw[i/8]&(1<<(i%8)) != 0
	}
	return have
}
