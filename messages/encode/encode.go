// Package encode owns one way to write JSON objects: appended to a slice, field by
// field, byte for byte what encoding/json makes of the same struct. Whatever is
// committed at every step of an actor is written like this, for reflection would
// take a tenth of the processor. It reads nothing: encoding/json decodes.
package encode

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Appender is what writes itself.
type Appender interface {
	// AppendJSON appends what json.Marshal would return.
	AppendJSON(b []byte) ([]byte, error)
}

// Object is one JSON object on its way. The methods whose name ends with "If"
// leave a field out when it is empty, as omitempty does. After an error it takes
// no more, and Close returns the error.
type Object struct {
	b     []byte
	err   error
	loose bool // HTML is left as it is
}

// Open begins an object behind b.
func Open(b []byte) Object { return Object{b: append(b, '{')} }

// OpenLoose is Open for an object that is in no HTML page: as with
// json.Encoder.SetEscapeHTML(false), the characters <, > and & stand for themselves.
func OpenLoose(b []byte) Object { return Object{b: append(b, '{'), loose: true} }

// Close ends the object.
func (o *Object) Close() ([]byte, error) { return append(o.b, '}'), o.err }

// key begins a field. Names are ours: they need no escapes.
func (o *Object) key(name string) {
	b := o.b
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	o.b = append(b, '"', ':')
}

// Text writes a string.
func (o *Object) Text(name, s string) {
	o.key(name)
	o.text(s)
}

func (o *Object) text(s string) {
	if o.loose {
		o.b = AppendLoose(o.b, s)
	} else {
		o.b = AppendText(o.b, s)
	}
}

// TextIf writes a string that is not empty.
func (o *Object) TextIf(name, s string) {
	if s != "" {
		o.Text(name, s)
	}
}

// Int writes a number.
func (o *Object) Int(name string, n int64) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, n, 10)
}

// IntIf writes a number that is not 0.
func (o *Object) IntIf(name string, n int64) {
	if n != 0 {
		o.Int(name, n)
	}
}

// Uint writes a number without a sign.
func (o *Object) Uint(name string, n uint64) {
	o.key(name)
	o.b = strconv.AppendUint(o.b, n, 10)
}

// UintIf writes a number without a sign that is not 0.
func (o *Object) UintIf(name string, n uint64) {
	if n != 0 {
		o.Uint(name, n)
	}
}

// Bool writes true or false.
func (o *Object) Bool(name string, v bool) {
	o.key(name)
	o.b = strconv.AppendBool(o.b, v)
}

// BoolIf writes what is true.
func (o *Object) BoolIf(name string, v bool) {
	if v {
		o.Bool(name, v)
	}
}

// Texts writes strings, null if there is no slice.
func (o *Object) Texts(name string, all []string) {
	o.key(name)
	if all == nil {
		o.b = append(o.b, "null"...)
		return
	}
	o.b = append(o.b, '[')
	for i, s := range all {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.text(s)
	}
	o.b = append(o.b, ']')
}

// TextsIf writes strings, if there are any.
func (o *Object) TextsIf(name string, all []string) {
	if len(all) > 0 {
		o.Texts(name, all)
	}
}

// TextMapIf writes a map in the order of its keys, if it has any.
func (o *Object) TextMapIf(name string, m map[string]string) {
	if len(m) > 0 {
		o.TextMap(name, m)
	}
}

// TextMap writes a map in the order of its keys, null if there is none.
func (o *Object) TextMap(name string, m map[string]string) {
	if m == nil {
		o.Null(name)
		return
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		if !utf8.ValidString(k) { // encoding/json orders those by what they become
			o.Any(name, m)
			return
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	o.key(name)
	o.b = append(o.b, '{')
	for i, k := range keys {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.text(k)
		o.b = append(o.b, ':')
		o.text(m[k])
	}
	o.b = append(o.b, '}')
}

// Any writes a value by reflection: for what is rare.
func (o *Object) Any(name string, v any) {
	o.key(name)
	if !o.loose {
		raw, err := json.Marshal(v)
		o.took(append(o.b, raw...), err)
		return
	}
	o.took(looseJSON(o.b, v))
}

// Null writes null.
func (o *Object) Null(name string) {
	o.key(name)
	o.b = append(o.b, "null"...)
}

// Value writes what writes itself.
func Value[V Appender](o *Object, name string, v V) {
	o.key(name)
	o.took(v.AppendJSON(o.b))
}

// Values writes a list, null if there is no slice.
func Values[V Appender](o *Object, name string, all []V) {
	if all == nil {
		o.Null(name)
		return
	}
	o.key(name)
	o.b = append(o.b, '[')
	for i, v := range all {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.took(v.AppendJSON(o.b))
	}
	o.b = append(o.b, ']')
}

func (o *Object) took(b []byte, err error) {
	if err != nil {
		if o.err == nil {
			o.err = err
		}
		return
	}
	o.b = b
}

// plain is the bytes that stand for themselves.
var plain = func() (t [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		t[c] = !strings.ContainsRune("\"\\<>&", rune(c))
	}
	return t
}()

// AppendText writes a string in quotes. What needs no escape, nearly all there
// is, is copied; the rest is left to encoding/json.
func AppendText(b []byte, s string) []byte {
	for i := range len(s) {
		if !plain[s[i]] {
			raw, err := json.Marshal(s)
			if err != nil { // a string always can be
				panic(err)
			}
			return append(b, raw...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// AppendLoose is AppendText without regard for HTML.
func AppendLoose(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; !plain[c] && c != '<' && c != '>' && c != '&' {
			b, err := looseJSON(b, s)
			if err != nil { // a string always can be
				panic(err)
			}
			return b
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// looseJSON appends what a json.Encoder that leaves HTML alone makes of v.
func looseJSON(b []byte, v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...), err
}
