package service

import (
	"slices"

	"github.com/troupe-cloud/troupe/messages"

	"google.golang.org/protobuf/proto"
)

// rebase is what is durable, with what memory knows beyond it: a commit that takes
// long or fails is mostly a snapshot, and registrations and beats must neither wait
// for that nor be lost with it. Where the commit is of anything else that can be
// seen, the memory from before it counts.
func rebase(durable, memory State) State {
	if memory.live == nil || !memory.live.fits(durable, memory) {
		return durable
	}
	l := *memory.live
	l.soilAll()
	if due := l.rev + SnapshotEvery.Milliseconds(); l.saveAt < due {
		l.saveAt = due
	}
	if l.unsaved > 0 && (l.wake == 0 || l.saveAt < l.wake) {
		l.wake = l.saveAt
	}
	durable.live = &l
	return durable
}

// fits says whether nothing that memory rests on differs in what is durable.
func (*live) fits(durable, memory State) bool {
	d, m := durable.kept, memory.kept
	if d == nil || m == nil || durable.Persistent != memory.Persistent || durable.Servers != memory.Servers {
		return d == m && durable.Persistent == memory.Persistent && durable.Servers == memory.Servers
	}
	return d.Exists == m.Exists && d.Auto == m.Auto && d.Persistent == m.Persistent && d.Project == m.Project && d.CreatedAt == m.CreatedAt &&
		d.ProtectThreshold == m.ProtectThreshold && sameMap(d.Metadata, m.Metadata) && proto.Equal(d.Selector, m.Selector) &&
		slices.EqualFunc(d.Clusters, m.Clusters, func(a, b *messages.ServiceCluster) bool { return proto.Equal(a, b) })
}

// soilAll marks every chunk as not stored: which of them a failed commit had is not
// known any more.
func (l *live) soilAll() {
	n := (int(l.used) + chunkSlots - 1) / chunkSlots
	l.dirty, l.unsaved = make([]uint64, (n+63)/64), n
	for i := range n {
		l.dirty[i/64] |= 1 << (i % 64)
	}
}
