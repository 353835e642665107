package compute

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxEchoed is how much of a refused value an error shows, in bytes.
const maxEchoed = 512

// shown is a value as Nova's errors show it after "Value: ".
func shown(v any) string {
	if s, ok := v.(string); ok {
		return clip(s)
	}
	return repr(v)
}

// repr is a JSON value in the notation of Python, in which Nova's validation
// errors are worded and clients have come to read them.
func repr(v any) string {
	var b strings.Builder
	writeRepr(&b, v)
	return clip(b.String())
}

func clip(s string) string {
	if len(s) > maxEchoed {
		return strings.ToValidUTF8(s[:maxEchoed], "") + "..."
	}
	return s
}

func writeRepr(b *strings.Builder, v any) {
	if b.Len() > maxEchoed {
		return // nobody will see the rest
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case json.Number:
		b.WriteString(v.String())
	case float64:
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	case string:
		writeQuoted(b, v)
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, item)
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteString(", ")
			}
			writeQuoted(b, key)
			b.WriteString(": ")
			writeRepr(b, v[key])
		}
		b.WriteByte('}')
	}
}

func writeQuoted(b *strings.Builder, s string) {
	quote := '\''
	if strings.ContainsRune(s, '\'') && !strings.ContainsRune(s, '"') {
		quote = '"'
	}
	b.WriteRune(quote)
	for _, c := range clip(s) {
		switch {
		case c == quote || c == '\\':
			b.WriteRune('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(c):
			b.WriteRune(c)
		default:
			q := strconv.QuoteRuneToASCII(c)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	b.WriteRune(quote)
}
