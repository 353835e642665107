package consul

import (
	"fmt"
	"strconv"

	"github.com/troupe-cloud/troupe/cluster/store"
)

// Folders below Config.Prefix.
const (
	markerKey    = "cluster" // whose data this is
	dataFolder   = "d/"      // one entry a key
	valueFolder  = "v/"      // values too long for an entry, in parts: v/MARK/N
	redoFolder   = "r/"      // transactions decided but not yet written everywhere
	chunkFolder  = "p/"      // what they write: p/MARK/N
	writerFolder = "w/"      // one entry a lane: w/WRITER/N
)

// Bytes that stand for themselves in an escaped key lie between these two. What
// lies below is written as lowest and two digits, what lies above as highest and
// two digits, so that escaped keys sort as the keys do and prefixes stay prefixes.
const (
	lowest, highest = '!', '~'
	digits          = "0123456789abcdef"
)

// escape makes any key one that survives JSON and a URL.
func escape(key string) string {
	plain := 0
	for plain < len(key) && key[plain] > lowest && key[plain] < highest {
		plain++
	}
	if plain == len(key) {
		return key
	}
	b := []byte(key[:plain])
	for i := plain; i < len(key); i++ {
		c := key[i]
		switch {
		case c <= lowest:
			b = append(b, lowest, digits[c>>4], digits[c&15])
		case c >= highest:
			b = append(b, highest, digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// unescape is the inverse; an error for what escape never returns.
func unescape(escaped string) (string, error) {
	if escape(escaped) == escaped {
		return escaped, nil
	}
	var b []byte
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c == lowest || c == highest {
			n, err := uint64(0), error(strconv.ErrSyntax)
			if i+2 < len(escaped) {
				n, err = strconv.ParseUint(escaped[i+1:i+3], 16, 8)
			}
			if err != nil {
				return "", fmt.Errorf("the entry %q has a name that no store gives: %w", escaped, store.ErrCorrupt)
			}
			c, i = byte(n), i+2
		}
		b = append(b, c)
	}
	if key := string(b); escape(key) == escaped {
		return key, nil
	}
	return "", fmt.Errorf("the entry %q has a name that no store gives: %w", escaped, store.ErrCorrupt)
}
