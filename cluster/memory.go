package cluster

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// What a grain remembers of commands. More answers would make every commit larger;
// of most commands only a hash of the id is kept.
const (
	maxRemembered      = 16
	maxRememberedReply = 4 << 10 // bytes of one answer
	maxRememberedBytes = 8 << 10 // bytes of all of them
	maxStamps          = 256

	// memorySpan is how long a command is remembered: a copy of it may be sent for
	// messages.RepeatFor, and be on its way for a while.
	memorySpan = messages.RepeatFor + 5*time.Second
)

// memory is what is known of the commands that were done, so that what comes twice
// is done once. It is a value: what is shared with older ones is never changed.
type memory struct {
	answers []remembered // oldest first
	stamps  []stamp      // oldest first; of all commands, those with an answer too
	dimmed  time.Time    // when the youngest was done that was let go before its time
}

// remembered is one messages.Remembered, as bytes.
type remembered struct {
	id  string
	raw []byte
}

// stamp says that a command was done, and when by the clock of this process: of
// what was loaded, the time of the load.
type stamp struct {
	hash uint64
	at   time.Duration // since began
}

var began = time.Now()

func stampOf(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return h.Sum64()
}

// done is the memory after the command with that id was done. answer is what is
// kept of its answer; without an id: nothing.
func (m memory) done(id string, answer remembered, now time.Time) memory {
	m = m.forget(now)
	m.stamps = append(m.stamps, stamp{stampOf(id), now.Sub(began)})
	if answer.id == "" {
		return m
	}
	total, from := len(answer.raw), len(m.answers)
	for from > 0 && len(m.answers)-from < maxRemembered-1 && total+len(m.answers[from-1].raw) <= maxRememberedBytes {
		from--
		total += len(m.answers[from].raw)
	}
	all := make([]remembered, 0, len(m.answers)-from+1)
	m.answers = append(append(all, m.answers[from:]...), answer)
	return m
}

// forget lets go what is old, and of what is young the oldest beyond the limit.
func (m memory) forget(now time.Time) memory {
	n := 0
	for n < len(m.stamps) && now.Sub(began)-m.stamps[n].at > memorySpan {
		n++
	}
	if over := len(m.stamps) - maxStamps + 1; over > n {
		m.dimmed, n = began.Add(m.stamps[over-1].at), over
	}
	m.stamps = m.stamps[n:]
	return m
}

// dim says whether a command that was done not long ago may be unknown here.
func (m memory) dim(now time.Time) bool {
	return !m.dimmed.IsZero() && now.Sub(m.dimmed) <= memorySpan
}

// answer is what is kept of the answer to a command; found also if that is nothing.
func (m memory) answer(id string) (raw []byte, found bool) {
	for _, r := range m.answers {
		if r.id == id {
			return r.raw, true
		}
	}
	if len(m.stamps) == 0 {
		return nil, false
	}
	hash := stampOf(id)
	for _, s := range m.stamps {
		if s.hash == hash {
			return nil, true
		}
	}
	return nil, false
}

// loaded is the memory of a record.
func loaded(r *messages.Record, now time.Time) memory {
	var m memory
	for _, q := range r.Requests {
		m.answers = append(m.answers, newRemembered(q))
	}
	for _, hash := range r.Done {
		m.stamps = append(m.stamps, stamp{hash, now.Sub(began)})
	}
	if r.Dim {
		m.dimmed = now
	}
	return m
}

var (
	// errDone is Unavailable, as is everything of which the asker cannot know what
	// became of it.
	errDone = fmt.Errorf("it was done before, and its answer is not kept any more: %w", messages.Unavailable)
	errDim  = fmt.Errorf("it may have been done before, and too much has been done since to tell: %w", messages.Unavailable)
)
