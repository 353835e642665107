package encode

import (
	"bytes"
	"encoding/base64"
	"sync"
)

// maxScratch keeps one large value from staying in memory for good.
const maxScratch = 64 << 10

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// Marshal returns what v writes, in memory of just that size: what is stored stays
// for a while.
func Marshal(v Appender) ([]byte, error) { return MarshalLike(v, nil) }

// MarshalLike is Marshal, but returns like if that is what v writes.
func MarshalLike(v Appender, like []byte) ([]byte, error) {
	kept := scratch.Get().(*[]byte)
	b, err := v.AppendJSON((*kept)[:0])
	if err != nil {
		return nil, err
	}
	raw := like
	if !bytes.Equal(b, like) {
		raw = bytes.Clone(b)
	}
	if *kept = b; cap(b) <= maxScratch {
		scratch.Put(kept)
	}
	return raw, nil
}

// AppendBytes writes bytes in base64, null if there is no slice.
func AppendBytes(b, raw []byte) []byte {
	if raw == nil {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, raw)
	return append(b, '"')
}

// AppendTexts writes strings, null if there is no slice.
func AppendTexts(b []byte, all []string) []byte {
	if all == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendText(b, s)
	}
	return append(b, ']')
}
