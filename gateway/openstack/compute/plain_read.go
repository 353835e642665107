package compute

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// plain says whether the rule takes raw, which is one valid JSON text.
func (r *rule) plain(raw []byte) verdict {
	rest, v := r.value(blank(raw))
	if v == fits && len(blank(rest)) > 0 {
		return unsure
	}
	return v
}

// blank is in without the space that it begins with.
func blank(in []byte) []byte { return bytes.TrimLeft(in, " \t\r\n") }

// value says whether the rule takes the value that in begins with, and what comes
// behind it; that means something with a fits alone.
func (r *rule) value(in []byte) (rest []byte, v verdict) {
	if r.vague || len(in) == 0 {
		return nil, unsure
	}
	sort := sortOf(in[0])
	switch {
	case r.takes != 0 && r.takes&sort == 0:
		return nil, misfit
	case r.options != nil:
		return r.oneOf(in)
	}
	switch sort {
	case isObject:
		return r.object(blank(in[1:]))
	case isArray:
		return r.array(blank(in[1:]))
	case isText:
		s, rest, ok := text(in)
		if !ok {
			return nil, unsure
		}
		return rest, r.takesText(s)
	case isNumber:
		n, rest, ok := number(in)
		if !ok {
			return nil, unsure
		}
		return rest, r.takesNumber(n)
	}
	return r.word(in)
}

func sortOf(c byte) sort {
	switch c {
	case '{':
		return isObject
	case '[':
		return isArray
	case '"':
		return isText
	case 't', 'f':
		return isTruth
	case 'n':
		return isNull
	}
	return isNumber
}

// oneOf fits if exactly one option takes the value.
func (r *rule) oneOf(in []byte) (rest []byte, v verdict) {
	v = misfit
	for _, o := range r.options {
		behind, said := o.value(in)
		switch {
		case said == unsure:
			return nil, unsure
		case said == fits && v == fits:
			return nil, misfit
		case said == fits:
			rest, v = behind, fits
		}
	}
	return rest, v
}

// object is never a misfit: of what is said twice, the last counts.
func (r *rule) object(in []byte) (rest []byte, _ verdict) {
	var seen uint64
	for first := true; ; first = false {
		if in, rest = next(in, '}', first); rest != nil || in == nil {
			break
		}
		name, behind, ok := text(in)
		behind = blank(behind)
		if !ok || len(behind) == 0 || behind[0] != ':' {
			return nil, unsure
		}
		p, known := r.property(name)
		if !known || seen&p.bit != 0 {
			return nil, unsure
		}
		seen |= p.bit
		after, v := p.rule.value(blank(behind[1:]))
		if v != fits {
			return nil, unsure
		}
		in = blank(after)
	}
	if rest == nil || r.enum != nil || seen&r.required != r.required {
		return nil, unsure
	}
	return rest, fits
}

// anyRule takes what nothing is said of.
var anyRule = &rule{most: unbounded, max: unbounded, open: true}

// property is what is said of a property; false if it may not be there, or too much is.
func (r *rule) property(name []byte) (p property, known bool) {
	if p, known = r.properties[string(name)]; known {
		return p, true
	}
	for _, k := range r.keys {
		switch {
		case !k.names.Match(name):
		case p.rule != nil:
			return p, false
		default:
			p.rule = k.rule
		}
	}
	if p.rule == nil && r.open {
		p.rule = anyRule
	}
	return p, p.rule != nil
}

func (r *rule) array(in []byte) (rest []byte, _ verdict) {
	item, n := r.items, 0
	if item == nil {
		item = anyRule
	}
	for ; ; n++ {
		if in, rest = next(in, ']', n == 0); rest != nil || in == nil {
			break
		}
		after, v := item.value(in)
		if v != fits {
			return nil, v
		}
		in = blank(after)
	}
	switch {
	case rest == nil || r.enum != nil:
		return nil, unsure
	case n < r.fewest || n > r.max:
		return nil, misfit
	}
	return rest, fits
}

// next goes to the next item of what end ends; rest is what comes behind the end, and
// both are nil where neither comes.
func next(in []byte, end byte, first bool) (item, rest []byte) {
	switch {
	case len(in) == 0:
		return nil, nil
	case in[0] == end:
		return nil, in[1:]
	case first:
		return in, nil
	case in[0] == ',':
		return blank(in[1:]), nil
	}
	return nil, nil
}

// text reads a plain text.
func text(in []byte) (s, rest []byte, ok bool) {
	if len(in) == 0 || in[0] != '"' {
		return nil, nil, false
	}
	for i := 1; i < len(in); i++ {
		switch c := in[i]; {
		case c == '"':
			return in[1:i], in[i+1:], true
		case c < ' ' || c > '~' || c == '\\':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// maxPlainDigits keeps plain numbers small.
const maxPlainDigits = 9

// number reads a plain number.
func number(in []byte) (n int, rest []byte, ok bool) {
	end := 0
	for end < len(in) && (in[end] >= '0' && in[end] <= '9' || end == 0 && in[end] == '-') {
		end++
	}
	if end == 0 || end > maxPlainDigits || end < len(in) && bytes.IndexByte([]byte(",]} \t\r\n"), in[end]) < 0 {
		return 0, nil, false
	}
	n, err := strconv.Atoi(string(in[:end]))
	return n, in[end:], err == nil && (n != 0 || end == 1) // -0
}

func jsonNumber(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// word reads true, false and null.
func (r *rule) word(in []byte) (rest []byte, v verdict) {
	for _, w := range []string{"true", "false", "null"} {
		if !bytes.HasPrefix(in, []byte(w)) {
			continue
		}
		if w == "null" {
			return in[len(w):], when(r.enum == nil || slices.Contains(r.enum, any(nil)))
		}
		return in[len(w):], r.takesBool(w == "true")
	}
	return nil, unsure
}
