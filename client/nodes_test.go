package client

import (
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// TestNodes: the node that worked stays; one that failed is put off while there is
// another; those that the cloud names come and go.
func TestNodes(t *testing.T) {
	n := newNodes([]string{"a:1", "b:1", "a:1"})
	a := n.pick()
	if a.address != "a:1" || n.pick() != a || n.count() != 2 {
		t.Fatalf("picked %v of %d", a.address, n.count())
	}
	n.failed(a)
	n.failed(a) // another call that failed with it
	if b := n.pick(); b.address != "b:1" || a.fails != 1 {
		t.Errorf("picked %v, a failed %d times", b.address, a.fails)
	}
	n.failed(n.pick())
	if n.pick() != a {
		t.Error("not the one whose pause ends first")
	}
	n.learn([]*messages.Member{{Address: "c:1"}, {Address: "d:1", Leaving: true}, {}})
	if c := n.pick(); c.address != "c:1" || n.count() != 3 {
		t.Errorf("picked %v of %d", c.address, n.count())
	}
	n.moveOn(a) // not the present one any more
	if n.pick().address != "c:1" {
		t.Error("moved on twice")
	}
	n.learn([]*messages.Member{{Address: "b:1"}})
	if n.count() != 3 {
		t.Error("the one in use was forgotten")
	}
	a.until = time.Time{}
	n.moveOn(n.pick())
	n.learn(nil)
	if n.count() != 2 || n.pick().address != "a:1" {
		t.Errorf("picked %v of %d", n.pick().address, n.count())
	}
}
