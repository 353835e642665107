package consul

import "sync"

const (
	splitAt     = 2048    // entries: a folder with more is read in pieces
	usualBytes  = 4 << 10 // longer entries count as several
	maxSizes    = 1 << 16 // folders whose size is remembered; then all are forgotten
	unknownSize = -1
)

// shape is what this process has learned of how the entries lie. It decides how
// large the answers to a list are, never what is in them.
type shape struct {
	mu    sync.Mutex
	large map[string]bool // prefixes of escaped keys with more than splitAt entries
	sizes map[string]int  // as last seen
}

func (f *shape) isLarge(prefix string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.large[prefix]
}

// size is how many entries prefix had when last seen.
func (f *shape) size(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n, ok := f.sizes[prefix]; ok {
		return n
	}
	return unknownSize
}

func (f *shape) learn(prefix string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n > splitAt {
		f.large = room(f.large)
		f.large[prefix] = true
		delete(f.sizes, prefix)
		return
	}
	f.sizes = room(f.sizes)
	f.sizes[prefix] = n
}

// learnNames learns from the first names with prefix, which are all of them if
// they are at most splitAt. If not, it goes down as long as all of them have the
// next character in common, so that a folder whose names begin alike is asked
// once.
func (f *shape) learnNames(prefix string, names []string) {
	f.learn(prefix, len(names))
	for len(names) > splitAt {
		at := len(prefix)
		last := names[len(names)-1]
		if len(last) <= at {
			return
		}
		sizes := map[byte]int{}
		for _, name := range names {
			if len(name) > at {
				sizes[name[at]]++
			}
		}
		for c := byte(lowest); c < last[at]; c++ {
			f.learn(prefix+string(rune(c)), sizes[c])
		}
		if sizes[last[at]] < len(names) {
			return // how many more begin with this one is not known
		}
		prefix = last[:at+1]
		f.learn(prefix, len(names))
	}
}

// piece is a part of the key space: every key with the prefix, or one key alone.
type piece struct {
	prefix string
	exact  bool
}

// cover lists pieces that together hold every key with prefix that comes after
// the key `after`, in order, and passes each to yield until that returns false.
// It goes into the folders that are large, one character at a time.
func (f *shape) cover(prefix, after string, yield func(piece) bool) bool {
	if end(piece{prefix: prefix}) <= after {
		return true // all of it comes before
	}
	if !f.isLarge(prefix) {
		return yield(piece{prefix: prefix})
	}
	if prefix > after && !yield(piece{prefix, true}) {
		return false
	}
	for c := byte(lowest); c <= highest; c++ {
		if !f.cover(prefix+string(rune(c)), after, yield) {
			return false
		}
	}
	return true
}
