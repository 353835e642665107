package service

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

// stating is an endpoint that says itself what it is, and beats every 10 s.
func stating(status string, healthy bool) *messages.RegisterEndpoints {
	e := endpoint("x")
	e.Status, e.Healthy, e.Document = status, healthy, []byte(`{"hostName":"x"}`)
	e.BeatIntervalMs, e.BeatTimeoutMs, e.DeleteTimeoutMs = 10_000, 30_000, 60_000
	return &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{e}}
}

// TestStatus: beats keep alive who has a status, and say nothing of its health.
func TestStatus(t *testing.T) {
	beat := &messages.RenewEndpoints{Keys: keys("x")}
	down := &messages.UpdateEndpoints{Keys: keys("x"), StatusOverride: proto.String("DOWN"), Healthy: proto.Bool(false)}
	up := &messages.UpdateEndpoints{Keys: keys("x"), StatusOverride: proto.String(""), Status: proto.String("UP"), Healthy: proto.Bool(true)}
	for name, tt := range map[string]struct {
		healthy bool // as registered
		do      []proto.Message
		miss    bool // beats before the last
		want    bool
	}{
		"who says it is down beats":             {do: []proto.Message{beat}},
		"who is down and is set up":             {do: []proto.Message{up, beat}, want: true},
		"who is up and is set down":             {healthy: true, do: []proto.Message{down, beat}},
		"who was set down and up again":         {healthy: true, do: []proto.Message{down, up, beat}, want: true},
		"who is up misses beats":                {healthy: true, miss: true},
		"who is up has missed beats":            {healthy: true, miss: true, do: []proto.Message{beat}, want: true},
		"who is down has missed beats":          {miss: true, do: []proto.Message{beat}},
		"who is set down has missed beats":      {healthy: true, do: []proto.Message{down, beat}, miss: true},
		"who is set down registers again":       {healthy: true, do: []proto.Message{down, stating("UP", true)}},
		"who says it is down now":               {healthy: true, do: []proto.Message{stating("DOWN", false), beat}},
		"who missed beats and was moved comes":  {healthy: true, miss: true, do: []proto.Message{nil, beat}, want: true},
		"who is up, missed, and is there again": {healthy: true, miss: true, do: []proto.Message{stating("UP", true)}, want: true},
	} {
		w := newWorld(t)
		w.must(stating(map[bool]string{true: "UP", false: "DOWN"}[tt.healthy], tt.healthy))
		if tt.miss {
			w.pass(45 * time.Second)
		}
		for _, m := range tt.do {
			if m == nil {
				w.move()
			} else {
				w.must(m)
			}
		}
		if e := w.service().Endpoints[0]; e.Healthy != tt.want || string(e.Document) == "" {
			t.Errorf("%s: it is %v", name, e)
		}
	}
}

// TestStatusIsRefused where there is none, and nobody else sets the health.
func TestStatusIsRefused(t *testing.T) {
	w := newWorld(t)
	w.must(beatKept("x"))
	healthy := &messages.UpdateEndpoints{Keys: keys("x"), Healthy: proto.Bool(false)}
	for _, m := range []*messages.UpdateEndpoints{healthy, {Keys: keys("x"), Status: proto.String("UP")}} {
		if _, err := w.step(m); !errors.Is(err, messages.Invalid) {
			t.Errorf("%v: %v", m, err)
		}
	}
	w.must(stating("UP", true))
	if _, err := w.step(healthy); !errors.Is(err, messages.Invalid) {
		t.Errorf("its health alone: %v", err)
	}
	long := stating("UP", true)
	long.Endpoints[0].Document = make([]byte, MaxDocumentBytes+1)
	if _, err := w.step(long); !errors.Is(err, messages.Invalid) {
		t.Errorf("a long document: %v", err)
	}
}
