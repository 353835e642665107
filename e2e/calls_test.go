package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"
)

// pageForm is the page of guestPage, of a machine that reaches nothing.
var pageForm = regexp.MustCompile(`^(web-[0-9]+) says ([a-z]+)\n$`)

// errBroken: the answer had begun when it broke off. Nobody but the caller can make
// such a call again.
var errBroken = errors.New("the answer broke off")

// calls is somebody who calls a service all the time, one call after the other. No
// call may fail, but for one whose answer has begun when its machine is killed.
type calls struct {
	t    *testing.T
	how  string
	stop context.CancelFunc
	done chan struct{}

	mu     sync.Mutex
	told   chan struct{} // closed at the next answer, or at the end
	n      int
	broken int
	guests map[string]bool // who has answered
	guest  string          // who answered last
	text   string          // what it said
	failed error
}

// call begins to call, until end or the end of the test.
func call(t *testing.T, how string, get func(context.Context) (*http.Response, error)) *calls {
	ctx, stop := context.WithCancel(t.Context())
	c := &calls{t: t, how: how, stop: stop, done: make(chan struct{}), told: make(chan struct{}), guests: map[string]bool{}}
	go func() {
		defer close(c.done)
		for ctx.Err() == nil && c.once(ctx, get) {
			select {
			case <-time.After(callPause): // the machines are busy enough
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-c.done
	})
	return c
}

// once calls once. False: that was the last time.
func (c *calls) once(ctx context.Context, get func(context.Context) (*http.Response, error)) bool {
	began := time.Now()
	guest, text, err := page(ctx, get)
	if ctx.Err() != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		close(c.told)
		c.told = make(chan struct{})
	}()
	c.n++
	if errors.Is(err, errBroken) && c.broken == 0 {
		c.broken++
		return true
	}
	if err != nil {
		c.failed = fmt.Errorf("call %d %s, after %v: %w", c.n, c.how, time.Since(began), err)
		return false
	}
	c.guest, c.text, c.guests[guest] = guest, text, true
	return true
}

func page(ctx context.Context, get func(context.Context) (*http.Response, error)) (guest, text string, err error) {
	resp, err := get(ctx)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", errBroken, err)
	}
	said := pageForm.FindSubmatch(body)
	if resp.StatusCode != http.StatusOK || said == nil {
		return "", "", fmt.Errorf("%s: %q", resp.Status, body)
	}
	return string(said[1]), string(said[2]), nil
}

// until waits until what was answered is like that.
func (c *calls) until(what string, ok func(*calls) bool) {
	c.t.Helper()
	late := time.After(guestTime)
	for {
		c.mu.Lock()
		told, failed, good := c.told, c.failed, ok(c)
		state := fmt.Sprintf("%d calls %s, answered by %v, last %q", c.n, c.how, c.guests, c.text)
		c.mu.Unlock()
		if failed != nil {
			c.t.Fatal(failed)
		}
		if good {
			return
		}
		select {
		case <-told:
		case <-late:
			c.t.Fatalf("%s: not in time: %s", what, state)
		}
	}
}

// last is who answered last; somebody has.
func (c *calls) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.guest
}

// end ends the calls, none of which may have failed.
func (c *calls) end() {
	c.t.Helper()
	c.stop()
	<-c.done
	if c.failed != nil {
		c.t.Error(c.failed)
	}
	c.t.Logf("%d calls %s, %d of them broke off", c.n, c.how, c.broken)
}
