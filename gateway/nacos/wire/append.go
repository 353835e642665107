package wire

import (
	"math"
	"slices"
	"strconv"
)

// AppendTextMap appends a map in the order of its keys; nil is an empty one.
func AppendTextMap(b []byte, m map[string]string) []byte {
	var room [16]string
	keys := room[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendText(b, k)
		b = AppendText(append(b, ':'), m[k])
	}
	return append(b, '}')
}

// AppendFloat appends a number with a decimal point, as Java writes doubles.
func AppendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(b, "0.0"...)
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return append(strconv.AppendInt(b, int64(f), 10), ".0"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}
