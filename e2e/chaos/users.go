package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	builders   = 3  // users who make servers
	mayHave    = 30 // servers in the quota
	patience   = 90 * time.Second
	lookPause  = 100 * time.Millisecond
	keepServer = 4 // one of so many is kept
)

// ledger is what the users were promised.
type ledger struct {
	mu      sync.Mutex
	kept    map[string]string // name to id: acknowledged, and to be there at the end
	deleted map[string]bool   // ids whose deletion was acknowledged
	maybe   map[string]bool   // names of which nobody knows whether they were made, or deleted
	failed  []error
	made    int
	refused int // by the quota
}

func newLedger() *ledger {
	return &ledger{kept: map[string]string{}, deleted: map[string]bool{}, maybe: map[string]bool{}}
}

func (l *ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, err)
}

// build makes, uses and deletes servers until ctx ends.
func (c *cloud) build(ctx context.Context, user int, image string, l *ledger) {
	dice := rand.New(rand.NewPCG(uint64(user), 11))
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("u%d-%d", user, n)
		if err := c.life(ctx, dice, name, image, l); err != nil && ctx.Err() == nil {
			l.fail(fmt.Errorf("%s: %w", name, err))
		}
		sleep(ctx, lookPause)
	}
}

// life is one server's: made, looked at, stopped and started, and mostly deleted.
func (c *cloud) life(ctx context.Context, dice *rand.Rand, name, image string, l *ledger) error {
	id, err := c.create(ctx, dice.IntN(members), name, image)
	switch {
	case isRefused(err, http.StatusForbidden):
		l.mu.Lock()
		l.refused++
		l.mu.Unlock()
		sleep(ctx, 5*lookPause)
		return nil
	case errors.Is(err, errUnknown):
		l.mu.Lock()
		l.maybe[name] = true
		l.mu.Unlock()
		return nil
	case err != nil:
		return err
	}
	l.mu.Lock()
	l.kept[name] = id
	l.made++
	keep := dice.IntN(keepServer) == 0 && len(l.kept) < mayHave/2
	l.mu.Unlock()
	if err := c.become(ctx, dice, id, "ACTIVE"); err != nil && !errors.Is(err, errFailed) {
		return err
	}
	if dice.IntN(2) == 0 {
		if err := c.cycle(ctx, dice, id); err != nil {
			return err
		}
	}
	if keep {
		return nil
	}
	return c.insist(ctx, dice, func(node int) error {
		err := c.remove(ctx, node, id)
		if isRefused(err, http.StatusNotFound) {
			err = nil // an earlier try got through
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case err == nil:
			l.deleted[id] = true
			delete(l.kept, name)
		case errors.Is(err, errUnknown): // and the end may come before it is known
			l.maybe[name] = true
			delete(l.kept, name)
		}
		return err
	})
}

// cycle stops a server and starts it again.
func (c *cloud) cycle(ctx context.Context, dice *rand.Rand, id string) error {
	var ends []string
	for _, step := range []struct{ action, status string }{{"os-stop", "SHUTOFF"}, {"os-start", "ACTIVE"}} {
		ends = append(ends[:0:0], step.status)
		err := c.insist(ctx, dice, func(node int) error {
			err := c.act(ctx, node, id, step.action)
			if errors.Is(err, errUnknown) {
				ends = []string{"SHUTOFF", "ACTIVE"} // it may come late, after what was asked next
			}
			if isRefused(err, http.StatusConflict) {
				return nil // it is on its way there, or in ERROR; become tells
			}
			return err
		})
		if err == nil {
			err = c.become(ctx, dice, id, ends...)
		}
		if errors.Is(err, errFailed) {
			return nil // what failed may turn out to have happened, after what would be asked next
		}
		if len(ends) > 1 {
			return err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// insist asks one node after the other until an answer is known.
func (c *cloud) insist(ctx context.Context, dice *rand.Rand, do func(node int) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := do(dice.IntN(members))
		if !errors.Is(err, errUnknown) {
			return err
		}
		if !sleep(ctx, lookPause) {
			return fmt.Errorf("no answer in %v: %w", patience, err)
		}
	}
}

// errFailed is an action that has failed; the server is not in ERROR.
var errFailed = errors.New("the action has failed")

// become waits until a server has one of the statuses. ERROR is an end too, and so is
// an action that has failed and left the server as it was (errFailed), as a user whose
// host's disk is full will see; what must not be is a task without an end.
func (c *cloud) become(ctx context.Context, dice *rand.Rand, id string, ends ...string) error {
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last server
	for {
		s, err := c.show(limit, dice.IntN(members), id)
		switch {
		case err == nil && s.Task == "" && (slices.Contains(ends, s.Status) || s.Status == "ERROR"):
			return nil
		case err == nil && s.Task == "" && c.lastFailed(limit, dice.IntN(members), id):
			return errFailed
		case err == nil:
			last = s
		case !errors.Is(err, errUnknown):
			return fmt.Errorf("an acknowledged server: %w", err)
		}
		if !sleep(limit, lookPause) {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("%s is not %v in %v but %s/%s; its history: %s", id, ends, patience, last.Status, last.Task, c.history(ctx, dice.IntN(members), id))
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
