package images

import (
	"slices"
	"testing"
)

// TestRepairAfterADeath: the copy that a dead node held is made again, by whoever
// has one, and only what that node held is asked about.
func TestRepairAfterADeath(t *testing.T) {
	w := newWorld(t, 5, quick())
	var sums []string
	for range 10 {
		b, _ := content(2 * piece)
		sums = append(sums, w.upload("n0", b))
	}
	settled := func() bool {
		for _, sum := range sums {
			for _, name := range w.order(sum)[:2] {
				if _, ok := w.nodes[name].local.Has(sum); !ok {
					return false
				}
			}
		}
		return true
	}
	w.until("every keeper has its own", settled)
	w.nodes["n2"].stop()
	w.publish()
	w.until("every keeper has its own again", settled)
	w.clean()
}

// TestEmptyDisk: a node that comes back with nothing gets what it has to hold.
func TestEmptyDisk(t *testing.T) {
	w := newWorld(t, 3, quick())
	b, sum := content(2 * piece)
	order := w.order(sum)
	w.upload(order[1], b)
	w.until("both have it", func() bool { _, ok := w.nodes[order[0]].local.Has(sum); return ok })
	w.nodes[order[0]].stop()
	n := w.start(order[0], t.TempDir(), nil)
	w.publish()
	w.until("it has it again", func() bool { _, ok := n.local.Has(sum); return ok })
}

// TestLastCopyIsRescued: both keepers die, a third node has it by chance.
func TestLastCopyIsRescued(t *testing.T) {
	w := newWorld(t, 5, quick())
	b, sum := content(2 * piece)
	order := w.order(sum)
	w.place(order[4], b, true)
	w.nodes[order[0]].stop()
	w.nodes[order[1]].stop()
	w.publish()
	w.until("it has two keepers", func() bool {
		got := w.holders(sum)
		return slices.Contains(got, order[2]) && slices.Contains(got, order[3])
	})
}

// TestDrain: a node that leaves makes its copies safe before it goes.
func TestDrain(t *testing.T) {
	w := newWorld(t, 4, quick())
	b, sum := content(2 * piece)
	at := w.order(sum)[0]
	w.place(at, b, true)
	w.nodes[at].member.Leaving = true
	w.publish()
	if err := w.nodes[at].Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range w.nodes[at].keepers(sum) {
		if _, ok := w.nodes[m.Name].local.Has(sum); !ok || m.Name == at {
			t.Errorf("keeper %s: %v", m.Name, ok)
		}
	}
}

// TestDeleted: a node that was down while a content was deleted learns it when it
// comes back; those that were there lose it at once.
func TestDeleted(t *testing.T) {
	w := newWorld(t, 3, quick())
	b, _ := content(piece)
	var sum string
	for _, name := range []string{"n0", "n1", "n2"} {
		sum = w.place(name, b, true)
	}
	dir := w.nodes["n2"].dir
	w.nodes["n2"].stop()
	w.publish()
	w.want(sum, false)
	if err := w.nodes["n0"].Discard(t.Context(), sum, w.isWanted); err != nil {
		t.Fatal(err)
	}
	if left := w.holders(sum); len(left) != 0 {
		t.Errorf("left on %v", left)
	}
	w.limits.HoldTime = 1e6 // else what was kept a moment before the start is held for an announcement
	n := w.start("n2", dir, nil)
	w.publish()
	w.until("it is gone there too", func() bool { _, ok := n.local.Has(sum); return !ok })
	if left := w.holders(sum); len(left) != 0 {
		t.Errorf("it came back on %v", left)
	}
}

// TestDiscardAsksEverywhere: what an image refers to stays, whoever says otherwise.
func TestDiscardAsksEverywhere(t *testing.T) {
	w := newWorld(t, 3, quick())
	b, _ := content(piece)
	sum := w.place("n0", b, true)
	w.place("n1", b, true)
	for _, name := range []string{"n1", "n2"} {
		w.nodes["n2"].broadcast(t.Context(), sum)
		if err := w.nodes[name].Discard(t.Context(), sum, w.isWanted); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.holders(sum); !slices.Contains(got, "n0") || !slices.Contains(got, "n1") {
		t.Errorf("left on %v", got)
	}
}

// TestPlacesMoveLittle: a node that goes changes the keepers of its own contents only.
func TestPlacesMoveLittle(t *testing.T) {
	w := newWorld(t, 10, quick())
	count := map[string]int{}
	const contents = 2000
	for range contents {
		_, sum := content(8)
		before := w.order(sum)
		for _, name := range before[:2] {
			count[name]++
		}
		after := slices.DeleteFunc(slices.Clone(before), func(name string) bool { return name == "n3" })
		if !slices.Contains(before[:2], "n3") && !slices.Equal(before[:2], after[:2]) {
			t.Fatalf("the keepers changed from %v to %v", before[:2], after[:2])
		}
	}
	for name, n := range count {
		if n < contents/10 || n > contents*3/10 { // on average a fifth
			t.Errorf("%s is a keeper of %d contents of %d", name, n, contents)
		}
	}
}
