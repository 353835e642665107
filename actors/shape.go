package actors

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
)

// Shape is Kind's. A line is the kind, where the field stands, and its type: "host
// claims[].Order uint64". What writes itself (messages, times, rows that are bytes) is
// one field.
func (k kind[S]) Shape() []string {
	var s S
	b := shape{kind: k.spec.Name}
	if k.spec.Volatile {
		return nil
	}
	b.walk("", reflect.TypeFor[S](), nil)
	if k.spec.Tables != nil {
		for name, t := range k.spec.Tables(&s) {
			b.walk(name+"[]", t.row(), nil)
		}
	}
	slices.Sort(b.lines)
	return slices.Compact(b.lines)
}

type shape struct {
	kind  string
	lines []string
}

var selfWriting = []reflect.Type{
	reflect.TypeFor[proto.Message](), reflect.TypeFor[Binary](), reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler](),
}

// walk follows t as encoding/json does.
func (b *shape) walk(at string, t reflect.Type, within []reflect.Type) {
	writesItself := func(i reflect.Type) bool { return t.Implements(i) || reflect.PointerTo(t).Implements(i) }
	switch {
	case slices.ContainsFunc(selfWriting, writesItself), slices.Contains(within, t):
	case t.Kind() == reflect.Pointer:
		b.walk(at, t.Elem(), within)
		return
	case t.Kind() == reflect.Map, (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem().Kind() != reflect.Uint8:
		b.walk(at+"[]", t.Elem(), within)
		return
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case name == "-" || !f.IsExported() && !f.Anonymous:
			case f.Anonymous && name == "":
				b.walk(at, f.Type, append(within, t))
			case name == "":
				b.walk(at+"."+f.Name, f.Type, append(within, t))
			default:
				b.walk(at+"."+name, f.Type, append(within, t))
			}
		}
		return
	}
	b.lines = append(b.lines, b.kind+" "+strings.TrimPrefix(at, ".")+" "+strings.ReplaceAll(t.String(), " ", ""))
}
