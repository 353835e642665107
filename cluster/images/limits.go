package images

import (
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// Defaults of Limits.
const (
	// DefaultCopies is how many nodes hold a content durably when its upload is
	// acknowledged, and for ever after.
	DefaultCopies = 2
	// DefaultMaxServes is how many pieces a node gives away at once. Who comes when
	// all are taken is told to ask others.
	DefaultMaxServes = 8
	// DefaultMaxFetches is how many contents a node fetches at once.
	DefaultMaxFetches = 4
	// DefaultStreams is how many pieces of one content are fetched at once.
	DefaultStreams = 4
	// DefaultFreeBytes is what stays free on the file system of the contents.
	DefaultFreeBytes = 1 << 30
	// DefaultHoldTime is how long a copy that was made for an upload is held for an
	// image to refer to it, should the node that took the upload say nothing more.
	DefaultHoldTime = 5 * time.Minute
	// DefaultRepairDelay is how long a node may be away before its copies are made
	// again elsewhere: a restart should not set gigabytes in motion.
	DefaultRepairDelay = 2 * time.Minute
	// DefaultSweepEvery is how often everything that is here is looked at.
	DefaultSweepEvery = time.Hour
	// DefaultStallTime is how long a fetch goes on without a byte.
	DefaultStallTime = 15 * time.Second
	// DefaultUseTime is how long a content stays after somebody asked for its path:
	// time to link or open it.
	DefaultUseTime = 2 * time.Minute
	// DefaultPause is the first wait after "busy"; each one after it is twice as
	// long, up to maxPauses of it.
	DefaultPause = 20 * time.Millisecond
)

// Other limits.
const (
	maxPauses     = 16
	maxPushed     = 1024
	maxHoldTime   = 30 * time.Minute
	maxHolds      = 4096
	maxBatch      = 1024             // contents that one question is about
	maxOthers     = 8                // names in one answer
	maxRestarts   = 3                // fetches from the start, because the sums were wrong
	askTime       = 10 * time.Second // for a question that is answered from memory, by a node that may be busy
	sumsTime      = 10 * time.Minute // for sums that may have to be made of a terabyte
	partialLife   = 10 * time.Minute // of a part that nobody goes on with
	graveTime     = 10 * time.Minute // in which a repair does not bring back what was discarded
	tickTime      = 30 * time.Second // between looks at the room on the disk: one system call
	sendBytes     = 256 << 10        // of a content in one message
	repairStreams = 2                // copies that one node has made at once
	repairRetry   = time.Minute      // after a repair that did not get through
	discardTries  = 3
	firstAsked    = 4 // nodes that are asked before everybody is
	maxOpen       = 2 // pieces that one fetch asks of one node at once
	maxFailures   = 3 // of a source in one fetch
)

// Limits are the limits of one node that can be set. Zero values take the defaults.
type Limits struct {
	Copies, MaxServes, MaxFetches, Streams int

	// CacheBytes bounds what is here without this node being a keeper of it; 0: no
	// bound but the disk's. What is in use just now may go beyond it.
	CacheBytes int64
	// FreeBytes is what stays free on the file system; -1: nothing.
	FreeBytes int64

	HoldTime, RepairDelay, SweepEvery, StallTime, UseTime, Pause time.Duration
}

func (l Limits) withDefaults() (Limits, error) {
	if l.Copies < 0 || l.MaxServes < 0 || l.MaxFetches < 0 || l.Streams < 0 || l.CacheBytes < 0 || l.FreeBytes < -1 ||
		l.HoldTime < 0 || l.HoldTime > maxHoldTime {
		return l, fmt.Errorf("a limit of the images is out of range: %+v: %w", l, messages.Invalid)
	}
	for _, n := range []struct {
		value    *int
		standard int
	}{
		{&l.Copies, DefaultCopies}, {&l.MaxServes, DefaultMaxServes},
		{&l.MaxFetches, DefaultMaxFetches}, {&l.Streams, DefaultStreams},
	} {
		if *n.value == 0 {
			*n.value = n.standard
		}
	}
	switch l.FreeBytes {
	case 0:
		l.FreeBytes = DefaultFreeBytes
	case -1:
		l.FreeBytes = 0
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&l.HoldTime, DefaultHoldTime}, {&l.RepairDelay, DefaultRepairDelay}, {&l.SweepEvery, DefaultSweepEvery},
		{&l.StallTime, DefaultStallTime}, {&l.UseTime, DefaultUseTime}, {&l.Pause, DefaultPause},
	} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	return l, nil
}
