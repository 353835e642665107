package cluster

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// TestMemory: what is known of a command that comes again, after others and a while.
func TestMemory(t *testing.T) {
	for name, tt := range map[string]struct {
		short   bool // its answer
		others  int  // done after it
		after   time.Duration
		reload  bool
		known   bool  // its answer comes again
		suspect error // if a copy of it was sent before
		fresh   error // if not
		unknown error // what a suspect is told that was never done
	}{
		"at once":                       {known: true, short: true},
		"its answer was long":           {suspect: errDone, fresh: errDone},
		"after as many as have answers": {others: maxRemembered, suspect: errDone, fresh: errDone, short: true},
		"loaded again":                  {others: maxRemembered, reload: true, suspect: errDone, fresh: errDone, short: true},
		"after as many as there is room": {
			others: maxStamps - 1, suspect: errDone, fresh: errDone, short: true},
		"after more":                 {others: maxStamps, suspect: errDim, unknown: errDim, short: true},
		"after more, loaded again":   {others: maxStamps, reload: true, suspect: errDim, unknown: errDim, short: true},
		"after more, and long after": {others: maxStamps, after: memorySpan + time.Second, short: true},
	} {
		now := time.Now()
		g := &grain{}
		do := func(id string, short bool) {
			var kept remembered
			if short {
				kept = newRemembered(&messages.Remembered{RequestId: id, Reply: toReply(&messages.Done{}, nil)})
			}
			g.known = g.known.done(id, kept, now)
		}
		do("it", tt.short)
		for i := range tt.others {
			do(strconv.Itoa(i), true)
		}
		if tt.reload {
			r := &messages.Record{}
			if err := proto.Unmarshal(encodeRecord(actors.Format, "a", 1, g.known, now, nil), r); err != nil {
				t.Fatal(err)
			}
			g.known = loaded(r, now)
		}
		now = now.Add(tt.after)
		for _, suspect := range []bool{true, false} {
			want := tt.fresh
			if suspect {
				want = tt.suspect
			}
			m, err, known := g.recall(&call{dedupe: "it", suspect: suspect}, now)
			if !errors.Is(err, want) || known != (want != nil || tt.known) || tt.known != (m != nil) {
				t.Errorf("%s, suspect %v: %v, %v, known %v", name, suspect, m, err, known)
			}
		}
		if _, err, known := g.recall(&call{dedupe: "never", suspect: true}, now); !errors.Is(err, tt.unknown) || known != (tt.unknown != nil) {
			t.Errorf("%s: of what was never done: %v, known %v", name, err, known)
		}
	}
}

// TestMemoryIsAValue: a memory that was kept is what it was, whatever came after.
func TestMemoryIsAValue(t *testing.T) {
	now := time.Now()
	var m memory
	var kept []memory
	for i := range 3 * maxStamps {
		kept = append(kept, m)
		m = m.done(strconv.Itoa(i), remembered{}, now)
		if len(m.stamps) > maxStamps {
			t.Fatalf("%d stamps", len(m.stamps))
		}
	}
	for i, old := range kept {
		if n := len(old.stamps); n > 0 && old.stamps[n-1].hash != stampOf(strconv.Itoa(i-1)) {
			t.Fatalf("memory %d has changed", i)
		}
	}
}
