package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// errBusy says that a source has no slot free; errPassed, that it has named others
// who have the piece from it.
var (
	errBusy   = errors.New("the node is busy")
	errPassed = errors.New("others have the piece")
)

// writeError is a failure on this side, which no other source would mend.
type writeError struct{ error }

func (w writeError) Unwrap() error { return w.error }

// sums asks for a content's sums, until somebody gives them, or for StallTime
// nobody answers.
func (p *pool) sums(ctx context.Context) (*blobs.Sums, *source, error) {
	deadline := time.Now().Add(p.i.limits.StallTime)
	for {
		err := p.look(ctx)
		for s := p.anyone(); err == nil && s != nil; s = p.anyone() {
			var sums *blobs.Sums
			if sums, err = p.i.askSums(ctx, s, p.sha256); err == nil {
				return sums, s, nil
			}
			if p.failed(s); errors.Is(err, messages.NotFound) {
				p.lost(s)
			}
			err = ctx.Err()
		}
		switch {
		case ctx.Err() != nil || errors.Is(err, messages.NotFound):
			return nil, nil, err
		case time.Now().After(deadline):
			return nil, nil, errors.Join(fmt.Errorf("no node gives the sums of the content %s: %w", p.sha256, messages.Unavailable), err)
		}
		if err := p.pause(ctx); err != nil {
			return nil, nil, err
		}
		p.forgive()
	}
}

// pause waits a while, never for as long as others do.
func (p *pool) pause(ctx context.Context) error {
	timer := time.NewTimer(maxPauses*p.i.limits.Pause/2 + rand.N(maxPauses*p.i.limits.Pause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// anyone is a source that may have sums.
func (p *pool) anyone() *source {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*source
	for _, s := range p.sources {
		if s.usable() && !s.badSums {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[rand.IntN(len(all))]
}

func (i *Images) askSums(ctx context.Context, s *source, sha256 string) (*blobs.Sums, error) {
	ctx, cancel := context.WithTimeout(ctx, sumsTime)
	defer cancel()
	out := &messages.BlobSums{}
	if err := i.call(ctx, s.member, methodSums, &messages.AskBlob{From: i.cfg.Self, Sha256: sha256}, out); err != nil {
		return nil, err
	}
	return blobs.JoinedSums(out.Size, out.PieceBytes, out.Sums)
}

// get copies one piece from a source to w, and notes how it went. A source that
// sends nothing for a while has broken off.
func (p *pool) get(ctx context.Context, s *source, sums *blobs.Sums, piece int, w io.Writer, end func() error) error {
	err := p.read(ctx, s, sums, piece, w)
	if err == nil {
		err = end()
	}
	var mine writeError
	switch {
	case err == nil:
		p.served(s, piece)
	case errors.Is(err, errPassed):
	case errors.Is(err, errBusy):
		p.busy(s)
	case errors.Is(err, blobs.ErrPiece):
		p.wrong(s)
	case errors.As(err, &mine), ctx.Err() != nil:
	case errors.Is(err, messages.NotFound):
		p.lost(s)
	default:
		p.failed(s)
	}
	return err
}

func (p *pool) read(ctx context.Context, s *source, sums *blobs.Sums, piece int, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(p.i.limits.StallTime, cancel)
	defer watchdog.Stop()
	offset, length := sums.Bounds(piece)
	ask := &messages.FetchBlob{From: p.i.cfg.Self, Sha256: p.sha256, Offset: offset, Length: length, Insist: p.insists(piece)}
	next, err := stream(ctx, p.i, s.member, methodFetch, ask, func() *messages.BlobChunk { return &messages.BlobChunk{} })
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		chunk, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		watchdog.Reset(p.i.limits.StallTime)
		if first {
			p.heard(s, chunk, piece)
		}
		if chunk.Busy && len(chunk.Given) >= giveFreely {
			return errPassed
		}
		if chunk.Busy {
			return errBusy
		}
		if _, err := w.Write(chunk.Data); err != nil {
			if errors.Is(err, messages.Invalid) {
				return blobs.ErrPiece // it sends more than it was asked for
			}
			return writeError{err}
		}
		p.i.counters.fetched.Add(int64(len(chunk.Data)))
	}
}

// heard takes in what the first chunk says beside its data.
func (p *pool) heard(s *source, chunk *messages.BlobChunk, piece int) {
	if len(chunk.Pieces) > 0 {
		p.mu.Lock()
		s.pieces, s.told = chunk.Pieces, time.Now()
		p.mu.Unlock()
	}
	p.hear(chunk.Others)
	if chunk.Busy && len(chunk.Given) > 0 {
		p.passed(piece, chunk.Given)
	}
}
