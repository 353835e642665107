package cluster_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// askerKind asks a counter on ClaimQuota, and tells heard what came back.
func askerKind(heard chan<- *messages.Answered) actors.Kind {
	return actors.Spec[struct{}]{Name: "asker", Volatile: true, Step: func(s struct{}, in actors.Input) (struct{}, []actors.Effect, error) {
		to := actors.Ref{Kind: "counter", ID: "c"}
		switch m := in.Message.(type) {
		case *messages.ClaimQuota:
			return s, []actors.Effect{actors.Ask{To: to, Message: &messages.GetQuota{}}}, nil
		case *messages.ReleaseQuota:
			return s, []actors.Effect{actors.Ask{To: to, Message: &messages.ResetQuota{}}}, nil
		case *messages.Answered:
			heard <- m
		case *messages.Activated:
		default:
			return s, nil, fmt.Errorf("%T: %w", m, messages.Invalid)
		}
		return s, nil, nil
	}}.Kind()
}

// TestAsk: what a grain asks comes back to it, an answer as well as a refusal.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := make(chan *messages.Answered, 2)
		n := start(t, mem.New(), askerKind(heard), counterKind())
		ref := actors.Ref{Kind: "asker", ID: "a"}
		if _, err := n.Client().Ask(t.Context(), ref, &messages.ClaimQuota{}); err != nil {
			t.Fatal(err)
		}
		a := <-heard
		if m, err := messages.Decode(a.Reply.Method, a.Reply.Payload); err != nil || a.Kind != "counter" || a.Id != "c" || a.Asked != "troupe.GetQuota" || m.(*messages.QuotaView) == nil {
			t.Errorf("got %v: %v", a, err)
		}
		if _, err := n.Client().Ask(t.Context(), ref, &messages.ReleaseQuota{}); err != nil {
			t.Fatal(err)
		}
		if a := <-heard; a.Reply.Error != messages.ErrorKind_ERROR_KIND_CONFLICT || a.Reply.Message != "never" {
			t.Errorf("got %v", a)
		}
		stop(t, n)
	})
}
