package rpc

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	keptTexts    = 1024
	maxTextBytes = 1 << 10 // longer ones are not kept
)

// texts keeps texts that come with request after request, so that not each makes a copy
// of its own. Safe for concurrent use; the zero value is ready.
type texts [keptTexts]atomic.Pointer[string]

var textSeed = maphash.MakeSeed()

// of is b.
func (t *texts) of(b []byte) string {
	if len(b) == 0 || len(b) > maxTextBytes {
		return string(b)
	}
	at := &t[maphash.Bytes(textSeed, b)%keptTexts]
	if s := at.Load(); s != nil && *s == string(b) {
		return *s
	}
	s := string(b)
	at.Store(&s)
	return s
}
