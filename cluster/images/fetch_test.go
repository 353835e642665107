package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

// TestHolderDiesInTheMiddle: the fetch goes on with another, and asks it only for
// what is missing.
func TestHolderDiesInTheMiddle(t *testing.T) {
	limits := quick()
	limits.Streams = 1
	w := newWorld(t, 3, limits)
	b, _ := content(20 * piece)
	sum := w.place("n0", b, true)
	var served atomic.Int64
	half := make(chan struct{})
	w.nodes["n0"].spoil(func(method string) error {
		if method == methodFetch && served.Add(1) == 10 {
			close(half)
			<-w.nodes["n0"].ctx.Done() // it never answers
		}
		return nil
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.fetched("n2", sum, b)
	}()
	<-half
	w.place("n1", b, false)
	w.nodes["n0"].stop()
	<-done
	if n := w.nodes["n1"].Stats().ServedBytes; n != 11*piece {
		t.Errorf("the second node served %d bytes, that is %d pieces", n, n/piece)
	}
	w.clean()
}

// TestTheOnlyHolderDies: what is here is kept for when it is back, and is no content.
func TestTheOnlyHolderDies(t *testing.T) {
	limits := quick()
	limits.Streams = 1
	w := newWorld(t, 2, limits)
	b, _ := content(8 * piece)
	sum := w.place("n0", b, true)
	var served atomic.Int64
	w.nodes["n0"].spoil(func(method string) error {
		if method == methodFetch && served.Add(1) > 4 {
			return fmt.Errorf("unplugged: %w", messages.Unavailable)
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := w.nodes["n1"].Path(ctx, sum)
		failed <- err
	}()
	w.until("half of it", func() bool { return served.Load() > 5 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.until("the fetch has ended", func() bool { return w.nodes["n1"].Stats().Fetching == 0 })
	if _, err := w.nodes["n1"].local.Path(t.Context(), sum); !errors.Is(err, messages.NotFound) {
		t.Errorf("half a content counts: %v", err)
	}
	w.nodes["n0"].spoil(func(string) error { return nil })
	w.fetched("n1", sum, b)
	if n := w.nodes["n0"].Stats().ServedBytes; n != int64(len(b)) {
		t.Errorf("%d bytes were served, the content has %d", n, len(b))
	}
}

// TestDamagedHolder serves something else: it is found out by the piece, not asked
// again, and looks at what it has.
func TestDamagedHolder(t *testing.T) {
	w := newWorld(t, 3, quick())
	b, sum := content(6 * piece)
	order := w.order(sum)
	bad, good, at := w.nodes[order[0]], order[1], order[2]
	w.place(bad.name, b, true)
	if _, err := bad.local.Sums(t.Context(), sum); err != nil { // made while it was whole
		t.Fatal(err)
	}
	path := filepath.Join(bad.dir, sum)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if _, err := f.WriteAt([]byte("rotten"), int64(i)*piece+100); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Close(), os.Chmod(path, 0o400)); err != nil {
		t.Fatal(err)
	}
	w.place(good, b, false)
	w.fetched(at, sum, b)
	if n := w.nodes[at].Stats().Wrong; n > 1 {
		t.Errorf("the damaged node was asked again: %d", n)
	}
	bad.doubt(sum)
	w.until("the damaged copy is set aside and fetched again", func() bool {
		_, here := bad.local.Has(sum)
		return here && bad.Stats().Corrupt == 1
	})
	w.fetched(bad.name, sum, b)
	if _, err := os.Stat(filepath.Join(bad.dir, ".corrupt-"+sum)); err != nil {
		t.Errorf("the damaged file is gone: %v", err)
	}
	w.clean()
}

// TestEverybodyIsDamaged: never served, never half.
func TestEverybodyIsDamaged(t *testing.T) {
	limits := quick()
	limits.StallTime = 50e6
	w := newWorld(t, 2, limits)
	b, _ := content(3 * piece)
	sum := w.place("n0", b, true)
	if _, err := w.nodes["n0"].local.Sums(t.Context(), sum); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.nodes["n0"].dir, sum)
	if err := errors.Join(os.Remove(path), os.WriteFile(path, make([]byte, len(b)), 0o400)); err != nil {
		t.Fatal(err)
	}
	w.until("the damaged copy is set aside", func() bool {
		if _, err := w.nodes["n1"].Path(t.Context(), sum); err == nil {
			t.Fatal("a damaged content was taken")
		}
		_, here := w.nodes["n0"].local.Has(sum)
		return !here
	})
	w.until("nobody has it", func() bool { // who is slow to say so may have it
		_, err := w.nodes["n1"].Path(t.Context(), sum)
		return errors.Is(err, messages.NotFound)
	})
}

// TestOneFetchForMany who ask one node at once.
func TestOneFetchForMany(t *testing.T) {
	w := newWorld(t, 2, quick())
	b, _ := content(10 * piece)
	sum := w.place("n0", b, true)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { w.fetched("n1", sum, b) })
	}
	wg.Wait()
	if n := w.nodes["n0"].Stats().ServedBytes; n != int64(len(b)) {
		t.Errorf("%d bytes were served, the content has %d", n, len(b))
	}
}

// TestWhoHasItDoesNotAnswer: not found is said only if everybody says so.
func TestWhoHasItDoesNotAnswer(t *testing.T) {
	limits := quick()
	limits.StallTime = 50e6
	w := newWorld(t, 3, limits)
	_, sum := content(1)
	w.until("nobody has it", func() bool { // who is slow to say so may have it
		_, err := w.nodes["n0"].Path(t.Context(), sum)
		return errors.Is(err, messages.NotFound)
	})
	w.nodes["n1"].stop()
	if _, err := w.nodes["n0"].Path(t.Context(), sum); !errors.Is(err, messages.Unavailable) {
		t.Errorf("n1 may have it: %v", err)
	}
}

// TestDeleteWhileFetching: who waits is told, and nothing stays.
func TestDeleteWhileFetching(t *testing.T) {
	w := newWorld(t, 2, quick())
	b, _ := content(10 * piece)
	sum := w.place("n0", b, true)
	began, once := make(chan struct{}), sync.Once{}
	w.nodes["n0"].spoil(func(method string) error {
		if method == methodFetch {
			once.Do(func() { close(began) })
			return messages.Unavailable
		}
		return nil
	})
	failed := make(chan error, 1)
	go func() {
		_, err := w.nodes["n1"].Path(t.Context(), sum)
		failed <- err
	}()
	<-began
	w.want(sum, false)
	if err := w.nodes["n0"].Discard(t.Context(), sum, w.isWanted); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, messages.NotFound) {
		t.Errorf("got %v", err)
	}
	if left := w.holders(sum); len(left) != 0 {
		t.Errorf("left on %v", left)
	}
	for name, n := range w.nodes {
		if _, ok := n.local.Partial(sum); ok {
			t.Errorf("%s kept a part", name)
		}
	}
}

// TestBoundedServing: who comes when all slots are taken is told to ask others.
func TestBoundedServing(t *testing.T) {
	limits := quick()
	limits.MaxServes = 1
	w := newWorld(t, 5, limits)
	b, _ := content(30 * piece)
	sum := w.place("n0", b, true)
	var wg sync.WaitGroup
	for i := 1; i < 5; i++ {
		wg.Go(func() { w.fetched(fmt.Sprintf("n%d", i), sum, b) })
	}
	wg.Wait()
	w.clean()
}

// TestReadAheadEnds when a download is broken off.
func TestReadAheadEnds(t *testing.T) {
	w := newWorld(t, 2, quick())
	b, _ := content(8 * piece)
	sum := w.place("n0", b, true)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := w.nodes["n1"].Open(ctx, sum)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadAt(make([]byte, 10), 0); err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := io.ReadAll(io.NewSectionReader(c, 5*piece, piece)); err == nil {
		t.Error("read on after the request had ended")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
