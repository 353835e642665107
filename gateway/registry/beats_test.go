package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// renewing takes a second for each batch, and knows the endpoints with even ports.
func renewing(_ actors.Ref, m proto.Message) (proto.Message, error) {
	time.Sleep(time.Second)
	got := &messages.EndpointsRenewed{}
	for i, k := range m.(*messages.RenewEndpoints).GetKeys() {
		if k.GetPort()%2 == 1 {
			got.Unknown = append(got.Unknown, int32(i))
		}
		got.IntervalMs = append(got.IntervalMs, int64(k.GetPort()))
	}
	return got, nil
}

func TestBeatsGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(renewing)
		b := NewBeats(c)
		const callers = beatBatch + 500
		for port := range callers {
			go func() {
				got, err := b.Renew(context.Background(), web, &messages.EndpointKey{Ip: "10.0.0.1", Port: int32(port)})
				want := Beat{Known: true, Interval: time.Duration(port) * time.Millisecond}
				if port%2 == 1 {
					want = Beat{}
				}
				if err != nil || got != want {
					t.Errorf("port %d: got %+v, %v", port, got, err)
				}
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if asked := c.took(); len(asked) != 3 { // the first at once, the rest in two messages
			t.Errorf("%d messages", len(asked))
		}
		if len(b.lanes) != 0 {
			t.Errorf("%d lanes are left", len(b.lanes))
		}
	})
}

func TestBeatsOfNoService(t *testing.T) {
	for _, tt := range []struct{ answer, want error }{{messages.NotFound, nil}, {messages.Unavailable, messages.Unavailable}} {
		b := NewBeats(newCloud(func(actors.Ref, proto.Message) (proto.Message, error) {
			return nil, fmt.Errorf("no: %w", tt.answer)
		}))
		got, err := b.Renew(context.Background(), web, &messages.EndpointKey{})
		if got.Known || !errors.Is(err, tt.want) {
			t.Errorf("%v: got %+v, %v", tt.answer, got, err)
		}
	}
}

func BenchmarkBeats(b *testing.B) {
	beats := NewBeats(newCloud(func(_ actors.Ref, m proto.Message) (proto.Message, error) {
		return &messages.EndpointsRenewed{IntervalMs: make([]int64, len(m.(*messages.RenewEndpoints).GetKeys()))}, nil
	}))
	refs := make([]actors.Ref, 64)
	for i := range refs {
		refs[i] = actors.Ref{Kind: ServiceKind, ID: strconv.Itoa(i)}
	}
	b.RunParallel(func(p *testing.PB) {
		key := &messages.EndpointKey{Ip: "10.0.0.1"}
		for i := 0; p.Next(); i++ {
			_, _ = beats.Renew(context.Background(), refs[i%64], key)
		}
	})
}
