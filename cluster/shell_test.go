package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// inOrder asks without waiting, one after the other, and returns what comes
// back in the order in which it does.
func inOrder(n *cluster.Node, to actors.Ref, asks ...proto.Message) <-chan string {
	answers := make(chan string, len(asks))
	for i, m := range asks {
		cluster.Post(n, to, m, func(m proto.Message, err error) {
			if v, ok := m.(*messages.QuotaView); ok {
				answers <- fmt.Sprintf("%d: n=%d", i, v.Used["n"])
				return
			}
			answers <- fmt.Sprintf("%d: %v", i, err)
		})
	}
	return answers
}

// TestPipelining: messages that come while a commit is in flight are stepped on
// the state it will leave, go out in one commit, and are answered after it.
func TestPipelining(t *testing.T) {
	g := newGate(mem.New())
	n := start(t, g)
	mustCount(t, n, "a", "x") // activated, n=1
	<-g.entered
	g.shut()
	answers := inOrder(n, counterRef("a"), count("x"), count("y"), count("y"), &messages.GetQuota{}, &messages.ResetQuota{}, count("z"))
	<-g.entered // the first is in flight
	cluster.Settle(n, counterRef("a"))
	if len(answers) != 0 {
		t.Fatalf("answered before anything was durable: %s", <-answers)
	}
	g.pass()
	if got := <-answers; got != "0: n=2" {
		t.Errorf("first answer %q", got)
	}
	txn := <-g.entered // the rest, in one commit
	if len(answers) != 0 {
		t.Errorf("answered before its commit: %s", <-answers)
	}
	rows := 0
	for _, w := range txn.Writes {
		if strings.HasPrefix(w.Key, actors.RowPrefix(counterRef("a"))) {
			rows++
		}
	}
	if rows != 2 {
		t.Errorf("the second commit wrote %d rows, want y and z once each", rows)
	}
	g.pass()
	for _, want := range []string{"1: n=3", "2: n=4", "3: n=4", "4: never: conflict", "5: n=5"} {
		if got := <-answers; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := n.Client().Stats().Commits; got != 3 {
		t.Errorf("%d commits", got)
	}
	if p := n.Client().Pressure(); p < 0 || p > 1 {
		t.Errorf("pressure %d at rest", p)
	}
}

func TestDeliveredTwiceIsDoneOnce(t *testing.T) {
	s := mem.New()
	n := start(t, s)
	ctx := cluster.WithRequest(context.Background(), "req-1")
	askN := func(n *cluster.Node, ctx context.Context, key string) int64 {
		v, err := cluster.Ask[*messages.QuotaView](ctx, n.Client(), counterRef("a"), count(key))
		if err != nil {
			t.Fatal(err)
		}
		return v.Used["n"]
	}
	if a, b, c := askN(n, ctx, "x"), askN(n, ctx, "x"), askN(n, ctx, "y"); a != 1 || b != 1 || c != 2 {
		t.Errorf("same, same, other: %d %d %d", a, b, c)
	}
	stop(t, n)
	n = start(t, s)
	if got := askN(n, ctx, "x"); got != 1 {
		t.Errorf("after a restart: %d", got)
	}
	for i := range 20 { // of all but the last few, the answers are not kept
		askN(n, cluster.WithRequest(context.Background(), fmt.Sprint(i)), "z")
	}
	if v, err := n.Client().Ask(ctx, counterRef("a"), count("x")); !errors.Is(err, messages.Unavailable) {
		t.Errorf("after others: %v, %v", v, err)
	}
	if got := askN(n, cluster.WithRequest(context.Background(), "last"), "z"); got != 23 {
		t.Errorf("after all %d", got)
	}
}

// TestStaleActivation: two nodes that both believe to have the grain never
// fork its state, and no count is lost.
func TestStaleActivation(t *testing.T) {
	s := mem.New()
	nodes := []*cluster.Node{start(t, s), start(t, s)}
	const each = 50
	ask := func(i int) {
		if _, err := nodes[i].Client().Ask(context.Background(), counterRef("a"), count(fmt.Sprint(i))); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
	}
	const inTurn = 2 // from the second round on, each finds itself overtaken
	for range inTurn {
		ask(0)
		ask(1)
	}
	var wg sync.WaitGroup
	for i := range nodes {
		wg.Go(func() {
			for range each - inTurn {
				ask(i)
			}
		})
	}
	wg.Wait()
	fresh := start(t, s)
	if got := mustRead(t, fresh, "a"); got["n"] != 2*each || got["0"] != each || got["1"] != each {
		t.Errorf("state %v", got)
	}
	if nodes[0].Client().Stats().Stale+nodes[1].Client().Stats().Stale == 0 {
		t.Error("no activation was ever stale: the test has tested nothing")
	}
}

// TestUnknownOutcome: a commit that times out is looked for, not done twice.
func TestUnknownOutcome(t *testing.T) {
	lost := fmt.Errorf("time-out: %w", messages.Unavailable)
	for name, tt := range map[string]struct{ before, after func() error }{
		"lost before it was done": {once(lost), nil},
		"lost after it was done":  {nil, once(lost)},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(mem.New())
			n := start(t, g)
			g.fail(tt.before, tt.after)
			if got := mustCount(t, n, "a", "x"); got != 1 {
				t.Errorf("counted %d", got)
			}
			g.fail(nil, nil)
			if got := mustCount(t, n, "a", "x"); got != 2 {
				t.Errorf("then counted %d", got)
			}
		})
	}
}

func TestFailedCommitChangesNothing(t *testing.T) {
	g := newGate(mem.New())
	n := start(t, g)
	mustCount(t, n, "a", "x")
	g.fail(func() error { return errors.New("out of paper") }, nil)
	if _, err := n.Client().Ask(t.Context(), counterRef("a"), count("x")); err == nil {
		t.Error("a failed commit was acknowledged")
	}
	g.fail(nil, nil)
	if got := mustCount(t, n, "a", "x"); got != 2 {
		t.Errorf("after a failed commit: %d", got)
	}
}

func TestDefer(t *testing.T) {
	n := start(t, mem.New())
	answers := make(chan string, 4)
	for _, id := range []string{"one", "one", "two"} {
		cluster.Post(n, counterRef("a"), &messages.CreatePort{Id: id}, func(m proto.Message, err error) {
			if p, ok := m.(*messages.Port); ok {
				answers <- p.Id
				return
			}
			answers <- fmt.Sprint(messages.KindOf(err))
		})
	}
	if _, err := n.Client().Ask(t.Context(), counterRef("a"), &messages.DeletePort{PortId: "one"}); err != nil {
		t.Fatal(err)
	}
	if a, b := <-answers, <-answers; a != "one" || b != "one" {
		t.Errorf("answered %q, %q", a, b)
	}
	stop(t, n)
	if got := <-answers; got != "ERROR_KIND_UNAVAILABLE" {
		t.Errorf("who still waited at the end heard %q", got)
	}
}

// TestBacklog: far more messages than one batch takes are all done, in order.
func TestBacklog(t *testing.T) {
	g := newGate(mem.New())
	n := start(t, g)
	mustCount(t, n, "a", "x")
	<-g.entered
	g.shut()
	const many = 5000
	asks := make([]proto.Message, many)
	for i := range asks {
		asks[i] = count(fmt.Sprint(i % 10))
	}
	answers := inOrder(n, counterRef("a"), asks...)
	g.open()
	for i := range many {
		if got, want := <-answers, fmt.Sprintf("%d: n=%d", i, i+2); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// TestLargeTurns: changes that do not fit one commit together come in several;
// one that fits none is refused and harms nobody else.
func TestLargeTurns(t *testing.T) {
	g := newGate(mem.New())
	n := start(t, g)
	mustCount(t, n, "a", "x")
	<-g.entered
	g.shut()
	large := func(rows int) proto.Message { return &messages.CreateSubnet{Scope: strings.Repeat("x", rows)} }
	answers := inOrder(n, counterRef("a"), count("x"), large(3000), large(4096), large(3000), count("x"), large(2000), large(2500))
	g.open()
	for _, want := range []string{
		"0: n=2", "1: n=3", "2: a change of 4098 entries; the limit is 4095: exhausted",
		"3: n=4", "4: n=5", "5: n=6", "6: n=7",
	} {
		if got := <-answers; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := n.Client().Stats().Commits; got < 4 || got > 7 {
		t.Errorf("%d commits", got)
	}
}
