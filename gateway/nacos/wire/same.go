package wire

import "sync"

// maxSame is how many maps a Same keeps, and maxSameBytes how long one may be.
const (
	maxSame      = 4096
	maxSameBytes = 1024
)

// Same keeps one of the maps that are equal: nearly all instances of a service say
// the same of themselves, and a map takes much more room than what stands in it.
// Safe for concurrent use; the zero value is ready.
type Same struct {
	mu   sync.Mutex
	maps map[string]map[string]string
	read map[string]map[string]string // by their text, as it came
}

// Read is TextMap of what comes next, of which nothing is made if the same text has
// been read before; nobody changes what it returns.
func (s *Same) Read(from *Scanner) map[string]string {
	raw := from.Raw()
	if from.err != nil {
		return nil
	}
	s.mu.Lock()
	known, is := s.read[string(raw)]
	s.mu.Unlock()
	if is {
		return known
	}
	text := Scan(raw)
	m := text.TextMap()
	if text.err != nil {
		from.fail()
		return nil
	}
	m = s.Map(m)
	if len(raw) > maxSameBytes {
		return m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read == nil || len(s.read) >= maxSame {
		s.read = make(map[string]map[string]string)
	}
	s.read[string(raw)] = m
	return m
}

// Map is a map equal to m, which may be m; nobody changes either of them from now
// on.
func (s *Same) Map(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	var room [256]byte
	key := AppendTextMap(room[:0], m)
	if len(key) > maxSameBytes {
		return m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, is := s.maps[string(key)]; is {
		return known
	}
	if s.maps == nil || len(s.maps) >= maxSame {
		s.maps = make(map[string]map[string]string) // what is used comes back
	}
	s.maps[string(key)] = m
	return m
}
