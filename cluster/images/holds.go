package images

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

var errHolds = fmt.Errorf("%d contents are held already: %w", maxHolds, messages.Unavailable)

// holds are the contents that are held here for uploads which another node takes
// in, each under the upload's token, and for a while after a start: what was kept
// just before it may have been kept for an upload that still goes on.
type holds struct {
	mu      sync.Mutex
	held    map[holdKey]*hold
	intents map[string]int // fetches that will end in a hold, by content
	ended   bool
}

type holdKey struct{ sha256, token string }

type hold struct {
	release func()
	timer   *time.Timer
}

// add keeps release until it is asked for or the time is over. A token that is
// known begins its time again with the new one. False if there are too many.
func (h *holds) add(sha256, token string, d time.Duration, release func()) (added bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := holdKey{sha256, token}
	if h.held == nil {
		h.held = map[holdKey]*hold{}
	}
	if h.ended || len(h.held) >= maxHolds {
		return false
	}
	if old := h.held[key]; old != nil {
		old.timer.Stop()
		defer old.release()
	}
	h.held[key] = &hold{release, time.AfterFunc(d, func() { h.release(sha256, token) })}
	return true
}

// release ends a hold; one that is not known has ended already.
func (h *holds) release(sha256, token string) {
	h.mu.Lock()
	key := holdKey{sha256, token}
	held := h.held[key]
	delete(h.held, key)
	h.mu.Unlock()
	if held != nil {
		held.timer.Stop()
		held.release()
	}
}

// end forgets all without releasing: a content is not to go because this node stops.
func (h *holds) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for _, held := range h.held {
		held.timer.Stop()
	}
	h.held = nil
}

// intend says that a content is being fetched in order to be held.
func (h *holds) intend(sha256 string) (done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.intents == nil {
		h.intents = map[string]int{}
	}
	h.intents[sha256]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.intents[sha256]--; h.intents[sha256] == 0 {
			delete(h.intents, sha256)
		}
	}
}

// intended says whether a content is being fetched in order to be held.
func (h *holds) intended(sha256 string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.intents[sha256] > 0
}

func (h *holds) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.held)
}

// hold holds a content for an upload.
func (i *Images) hold(ctx context.Context, sha256, token string, d time.Duration) error {
	release, err := i.local.Hold(ctx, sha256)
	if err != nil {
		return err
	}
	if d <= 0 || d > maxHoldTime {
		d = i.limits.HoldTime
	}
	let := func() {
		i.background(func(ctx context.Context) {
			if err := release(ctx); err != nil {
				i.log.Warn().Err(err).Str("sha256", sha256).Msg("a content that nobody holds any more could not be discarded")
			}
		})
	}
	if !i.holds.add(sha256, token, d, let) {
		let()
		return errHolds
	}
	return nil
}

// sinceStart is the token of what was kept shortly before this node started.
const sinceStart = "since start"

// holdRecent holds what was kept so late that the upload it was kept for may not
// have been announced yet.
func (i *Images) holdRecent() {
	for _, u := range i.local.Usage() {
		if left := i.limits.HoldTime - time.Since(u.Used); left > 0 {
			if err := i.hold(i.ctx, u.SHA256, sinceStart, min(left, i.limits.HoldTime)); err != nil {
				i.log.Warn().Err(err).Str("sha256", u.SHA256).Msg("a content that may be about to be announced is not held")
			}
		}
	}
}
