package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// together asks all at once and returns what came of each.
func together(ctx context.Context, of cluster.Asker, idle func(), all ...cluster.Question) []string {
	got := make([]string, len(all))
	cluster.AskTogether(ctx, of, all, func(i int, m proto.Message, err error) {
		switch v, _ := m.(*messages.QuotaView); {
		case got[i] != "":
			got[i] += " and again"
		case err != nil:
			got[i] = messages.KindOf(err).String()
		default:
			got[i] = fmt.Sprint(v.Used["n"])
		}
	}, idle)
	return got
}

func about(id string, m proto.Message) cluster.Question {
	return cluster.Question{To: counterRef(id), Message: m}
}

// TestAskTogether: each question has its own answer, and who asks is told when he is
// about to wait for the others.
func TestAskTogether(t *testing.T) {
	g := newGate(mem.New())
	n := start(t, g)
	g.shut()
	opened := false
	got := together(t.Context(), n.Client(), func() {
		if !opened {
			opened = true
			<-g.entered
			g.open()
		}
	}, about("a", count("x")), about("b", &messages.ResetQuota{}), about("c", count("x")), about("a", count("x")),
		cluster.Question{To: actors.Ref{Kind: "none", ID: "x"}, Message: count("x")})
	want := fmt.Sprint([]string{"1", "ERROR_KIND_CONFLICT", "1", "2", "ERROR_KIND_INVALID"})
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := together(t.Context(), n.Client(), func() {}); len(got) != 0 {
		t.Errorf("nothing was asked, and answered %v", got)
	}
	if got := together(t.Context(), standIn{n.Client()}, func() {}, about("a", count("y")), about("b", count("y"))); fmt.Sprint(got) != "[3 1]" {
		t.Errorf("of a stand-in: %v", got)
	}
}

// standIn is no client itself.
type standIn struct{ cluster.Asker }

// TestTogetherIsDoneOnce: an activation that ends under a question is asked for again,
// under the same id.
func TestTogetherIsDoneOnce(t *testing.T) {
	g := newGate(mem.New())
	n := start(t, g)
	mustCount(t, n, "a", "x")
	g.fail(nil, once(store.ErrUnknown)) // it did happen
	if got := together(t.Context(), n.Client(), func() {}, about("a", count("x")), about("b", count("x"))); fmt.Sprint(got) != "[2 1]" {
		t.Errorf("after a commit of unknown outcome: %v", got)
	}
	if got := mustRead(t, n, "a"); got["x"] != 2 {
		t.Errorf("it was done otherwise than once: %v", got)
	}
}

// TestTogetherEnds: who does not answer in time is Unavailable; the others are not.
func TestTogetherEnds(t *testing.T) {
	g := newGate(mem.New())
	n := start(t, g)
	mustCount(t, n, "b", "x")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	left := 2
	cluster.AskTogether(ctx, n.Client(), []cluster.Question{
		{To: counterRef("a"), Message: &messages.CreatePort{Id: "p"}}, about("b", &messages.GetQuota{}),
	}, func(i int, m proto.Message, err error) {
		if left--; i == 0 && (!errors.Is(err, messages.Unavailable) || !errors.Is(err, context.Canceled)) || i == 1 && err != nil {
			t.Errorf("question %d: %v, %v", i, m, err)
		}
		if i == 1 {
			cancel()
		}
	}, func() {})
	if left != 0 {
		t.Errorf("%d were not answered", left)
	}
}
