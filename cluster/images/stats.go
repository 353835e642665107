package images

import "sync/atomic"

// counters count since the start.
type counters struct {
	served, fetched, busy, evicted, repaired, wrong, corrupt atomic.Int64
	short                                                    atomic.Int64
}

// Stats are what a node has and has done since it started.
type Stats struct {
	Contents     int   // whole, here
	Bytes        int64 // of contents and of parts under way
	CachedBytes  int64 // of contents that this node need not have
	FreeBytes    int64 // of the file system
	Fetching     int   // contents under way
	Holds        int   // for uploads that others take in
	ServedBytes  int64
	FetchedBytes int64
	Busy         int64 // requests that were sent to others
	Evicted      int64 // contents
	Repaired     int64 // copies that this node had made again
	Wrong        int64 // sources that served something else
	Corrupt      int64 // contents here that the disk has damaged
	Short        int64 // contents here that had too few copies when last looked at
}

// Stats reads them.
func (i *Images) Stats() Stats {
	c := &i.counters
	s := Stats{
		Bytes: i.local.Bytes(), Holds: i.holds.count(),
		ServedBytes: c.served.Load(), FetchedBytes: c.fetched.Load(), Busy: c.busy.Load(), Evicted: c.evicted.Load(),
		Repaired: c.repaired.Load(), Wrong: c.wrong.Load(), Corrupt: c.corrupt.Load(), Short: c.short.Load(),
	}
	s.FreeBytes, _ = i.local.Free() // 0 if the file system does not say
	for _, u := range i.local.Usage() {
		s.Contents++
		if !i.backend.Bound(u.SHA256) {
			s.CachedBytes += u.Size
		}
	}
	i.mu.Lock()
	s.Fetching = len(i.flights)
	i.mu.Unlock()
	return s
}
