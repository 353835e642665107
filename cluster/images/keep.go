package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// peers keep contents by themselves: each one on Copies nodes.
type peers struct {
	*Images

	mu      sync.Mutex
	inOrder map[string]string // contents that their keepers had, and which these were
}

// Name is told to other nodes.
func (p *peers) Name() string { return "peers" }

// Keep keeps an upload here and has others fetch it, until as many nodes as
// promised hold it durably. This node counts if it may be a keeper; that it is not
// one by its place is put right after the acknowledgement. One copy is enough only
// if there is only one node that can hold.
func (p *peers) Keep(ctx context.Context, st *blobs.Staged) (func(context.Context) error, error) {
	sha256 := st.Info.SHA256
	p.gone.rise(sha256)
	local, err := st.KeepHere()
	if err != nil {
		return nil, err
	}
	order := p.ranked(sha256)
	need, want := min(p.limits.Copies, len(order)), p.limits.Copies
	targets := make([]view.Member, 0, len(order))
	here := false
	for _, m := range order {
		if p.isSelf(m) {
			here = true
			continue
		}
		targets = append(targets, m)
	}
	if len(order) == 0 {
		return nil, errors.Join(fmt.Errorf("this node knows of none that can hold a content: %w", messages.Unavailable), local(ctx))
	}
	if here {
		need--
	}
	token := uuid.NewString()
	kept, err := p.replicate(ctx, sha256, token, targets, need)
	release := p.releaser(sha256, token, kept, local)
	if err != nil {
		return nil, errors.Join(err, release(context.WithoutCancel(ctx)))
	}
	if have := len(kept) + btoi(here); have < want {
		p.log.Warn().Str("sha256", sha256).Int("copies", have).Int("promised", want).
			Msg("an upload was taken although there are too few nodes to hold it")
	}
	return release, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// releaser ends all holds of an upload. Nodes that do not hear of it let go by
// themselves.
func (p *peers) releaser(sha256, token string, kept []view.Member, local func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, m := range kept {
			p.background(func(ctx context.Context) {
				ctx, cancel := context.WithTimeout(ctx, askTime)
				defer cancel()
				_ = p.call(ctx, m, methodRelease, &messages.ReleaseBlob{From: p.cfg.Self, Sha256: sha256, Token: token}, &messages.Done{})
			})
		}
		select {
		case p.pushed <- sha256: // the keepers have it looked after
		default:
		}
		return local(ctx)
	}
}

// replicate has need of the targets keep a content, the first ones if they can.
func (p *peers) replicate(ctx context.Context, sha256, token string, targets []view.Member, need int) (kept []view.Member, err error) {
	if need <= 0 {
		return nil, nil
	}
	next := make(chan view.Member, len(targets))
	for _, m := range targets {
		next <- m
	}
	close(next)
	var mu sync.Mutex
	var failed []error
	var wg sync.WaitGroup
	for range need {
		wg.Go(func() {
			for m := range next {
				err := p.haveKept(ctx, m, sha256, token)
				mu.Lock()
				if err == nil {
					kept = append(kept, m)
					mu.Unlock()
					return
				}
				failed = append(failed, err)
				mu.Unlock()
				p.log.Warn().Err(err).Str("sha256", sha256).Str("node", m.Name).Msg("a node could not keep a copy")
			}
		})
	}
	wg.Wait()
	if len(kept) >= need {
		return kept, nil
	}
	kind := error(messages.Unavailable)
	if len(failed) > 0 {
		kind = messages.Exhausted
		for _, err := range failed {
			if !errors.Is(err, messages.Exhausted) {
				kind = messages.Unavailable
			}
		}
	}
	return kept, fmt.Errorf("the content could be stored on %d nodes of %d that are needed: %w", len(kept), need, kind)
}

// haveKept has one node keep a content, and waits for it as long as it gets on.
func (p *peers) haveKept(ctx context.Context, m view.Member, sha256, token string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(2*p.limits.StallTime, cancel)
	defer watchdog.Stop()
	ask := &messages.KeepBlob{From: p.cfg.Self, Sha256: sha256, Token: token, HoldMs: p.limits.HoldTime.Milliseconds()}
	next, err := stream(ctx, p.Images, m, methodKeep, ask, func() *messages.KeptBlob { return &messages.KeptBlob{} })
	if err != nil {
		return err
	}
	for {
		k, err := next() // each one says that the node is at it; that it gets on, it sees to itself
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("node %s did not say that it has kept the content: %w", m.Name, messages.Unavailable)
		case err != nil:
			return err
		case k.Kept:
			return nil
		}
		watchdog.Reset(2 * p.limits.StallTime)
	}
}

// keptEvery is how often a node says how far it is.
const keptEvery = time.Second

// serveKeep fetches a content, from the one who asks if need be, and answers when
// it is durable here.
func (i *Images) serveKeep(ctx context.Context, in *messages.KeepBlob, send func(*messages.KeptBlob) error) error {
	if err := named(in.Sha256); err != nil {
		return err
	}
	if in.Token == "" && i.gone.has(in.Sha256) { // who asks may not have heard of it
		switch wanted, err := i.cfg.Wanted(ctx, in.Sha256); {
		case err != nil:
			return err
		case !wanted:
			return fmt.Errorf("content %s was discarded a moment ago: %w", in.Sha256, messages.Conflict)
		}
	}
	done := make(chan error, 1)
	if !i.background(func(context.Context) { done <- i.keepHere(ctx, in) }) {
		return errStopping
	}
	tick := time.NewTicker(keptEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			return send(&messages.KeptBlob{Kept: true})
		case <-tick.C:
			if err := send(&messages.KeptBlob{Bytes: i.progress(in.Sha256)}); err != nil {
				<-done // it ends with ctx, which has ended
				return err
			}
		}
	}
}

// keepHere fetches and holds. A discard may come in between, once or twice.
func (i *Images) keepHere(ctx context.Context, in *messages.KeepBlob) (err error) {
	if in.Token != "" {
		defer i.holds.intend(in.Sha256)()
		i.gone.rise(in.Sha256)
	}
	for range maxRestarts {
		if err = i.bring(ctx, in.Sha256, in.From); err != nil {
			return err
		}
		if in.Token == "" {
			return nil
		}
		err = i.hold(ctx, in.Sha256, in.Token, time.Duration(in.HoldMs)*time.Millisecond)
		if !errors.Is(err, messages.NotFound) {
			return err
		}
	}
	return err
}

// progress is how much of a content is here.
func (i *Images) progress(sha256 string) int64 {
	p, ok := i.local.Partial(sha256)
	if !ok {
		return 0
	}
	return int64(len(p.Sums().Pieces)-p.Left()) * p.Sums().PieceBytes
}

// Copies asks those who should hold it, and then, if they do not, everybody. A
// node that does not answer counts for nothing.
func (p *peers) Copies(ctx context.Context, sha256 string) (have, want int, err error) {
	if err := named(sha256); err != nil {
		return 0, 0, err
	}
	_, here := p.local.Has(sha256)
	for _, who := range [][]view.Member{p.keepers(sha256), p.others()} {
		have = btoi(here) + p.countWhole(ctx, who, sha256)
		if have >= p.limits.Copies {
			break
		}
	}
	return have, p.limits.Copies, ctx.Err()
}

// countWhole is how many of the members, this one left out, hold a content.
func (i *Images) countWhole(ctx context.Context, who []view.Member, sha256 string) int {
	var n atomic.Int64
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxAsking)
	for _, m := range who {
		if i.isSelf(m) {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if held, err := i.have(ctx, m, false, sha256); err == nil && held[0].Whole {
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return int(n.Load())
}
