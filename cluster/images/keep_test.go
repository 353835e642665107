package images

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func TestUploadIsAcknowledgedByTwo(t *testing.T) {
	w := newWorld(t, 5, quick())
	b, sum := content(5*piece + 7)
	st, err := w.nodes["n0"].Stage(t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	release, err := st.Keep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := w.holders(sum); len(got) != 2 || !slices.Contains(got, "n0") {
		t.Errorf("acknowledged with holders %v", got)
	}
	// A discard of the same content by another node waits for the announcement.
	if err := w.nodes["n3"].Discard(t.Context(), sum, w.isWanted); err != nil {
		t.Error(err)
	}
	if got := w.holders(sum); len(got) != 2 {
		t.Errorf("a held upload was discarded: %v", got)
	}
	w.want(sum, true)
	if err := release(t.Context()); err != nil {
		t.Fatal(err)
	}
	keepers := w.order(sum)[:2]
	w.until("both keepers have it", func() bool {
		got := w.holders(sum)
		return slices.Contains(got, keepers[0]) && slices.Contains(got, keepers[1])
	})
	for name := range w.nodes {
		w.fetched(name, sum, b)
	}
	w.clean()
}

func TestUploadGoesOnToTheNextNode(t *testing.T) {
	w := newWorld(t, 4, quick())
	b, sum := content(3 * piece)
	order := w.order(sum)
	at := order[3]
	w.nodes[order[0]].stop() // nobody knows yet
	w.nodes[order[1]].spoil(func(method string) error {
		if method == methodKeep {
			return messages.Exhausted
		}
		return nil
	})
	w.upload(at, b)
	if got := w.holders(sum); !slices.Contains(got, order[2]) || !slices.Contains(got, at) {
		t.Errorf("holders %v, order %v", got, order)
	}
}

func TestUploadWithoutEnoughNodes(t *testing.T) {
	w := newWorld(t, 2, quick())
	b, sum := content(piece)
	w.nodes["n1"].stop() // still a member: one copy is not what was promised
	st, err := w.nodes["n0"].Stage(t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Keep(t.Context()); !errors.Is(err, messages.Unavailable) {
		t.Errorf("got %v", err)
	}
	w.publish() // n1 is gone for good: there is one node that can hold
	w.upload("n0", b)
	if have, want, err := w.nodes["n0"].Copies(t.Context(), sum); have != 1 || want != 2 || err != nil {
		t.Errorf("%d of %d copies, %v", have, want, err)
	}
	n := w.start("n1", t.TempDir(), nil)
	w.publish()
	w.until("the second copy", func() bool { _, ok := n.local.Has(sum); return ok })
	if have, want, err := w.nodes["n0"].Copies(t.Context(), sum); have != 2 || want != 2 || err != nil {
		t.Errorf("%d of %d copies, %v", have, want, err)
	}
}

// TestUploadByWhoIsNoMember: nobody could be told to keep it.
func TestUploadByWhoIsNoMember(t *testing.T) {
	w := newWorld(t, 1, quick())
	w.view.Store(nil)
	b, sum := content(piece)
	st, err := w.nodes["n0"].Stage(t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Keep(t.Context()); !errors.Is(err, messages.Unavailable) {
		t.Errorf("got %v", err)
	}
	if err := w.nodes["n0"].Discard(t.Context(), sum, w.isWanted); err != nil || len(w.holders(sum)) != 0 {
		t.Errorf("left on %v, %v", w.holders(sum), err)
	}
}

// TestHoldsEndByThemselves: the node that took an upload died before it announced.
func TestHoldsEndByThemselves(t *testing.T) {
	limits := quick()
	limits.HoldTime = 1e6 // 1 ms
	w := newWorld(t, 3, limits)
	b, sum := content(piece)
	st, err := w.nodes["n0"].Stage(t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.nodes["n0"].stop()
	w.until("the others let go", func() bool {
		if err := w.nodes["n1"].Discard(t.Context(), sum, w.isWanted); err != nil {
			t.Fatal(err)
		}
		return len(w.holders(sum)) == 0
	})
}

func TestDownloadThroughAnyNode(t *testing.T) {
	w := newWorld(t, 4, quick())
	b, _ := content(9*piece + 100)
	sum := w.place("n0", b, true)
	c, err := w.nodes["n3"].Open(t.Context(), sum)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, part := range [][2]int{{0, len(b)}, {piece - 1, 2}, {3*piece + 5, 4 * piece}, {len(b) - 1, 1}} {
		got, err := io.ReadAll(io.NewSectionReader(c, int64(part[0]), int64(part[1])))
		if err != nil || !bytes.Equal(got, b[part[0]:part[0]+part[1]]) {
			t.Errorf("%v: %d bytes, %v", part, len(got), err)
		}
	}
	if n, err := c.ReadAt(make([]byte, 10), int64(len(b)-3)); n != 3 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if _, here := w.nodes["n3"].local.Has(sum); here {
		t.Error("a download was kept")
	}
	_, none := content(1)
	if _, err := w.nodes["n3"].Open(t.Context(), none); !errors.Is(err, messages.NotFound) {
		t.Errorf("nobody's content: %v", err)
	}
}
