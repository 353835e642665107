package identity

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// fields is the one object of a create or update body. Each reader takes its
// field out; what is left at the end are the caller's additional properties.
// The first wrong one is kept in err.
type fields struct {
	m   map[string]any
	err error
}

// decodeFields reads {"what": {...}}.
func decodeFields(r *api.Request, what string) (*fields, error) {
	var body map[string]any
	if err := api.DecodeJSON(r, &body); err != nil {
		return nil, err
	}
	m, ok := body[what].(map[string]any)
	if !ok {
		return nil, missing("an object '"+what+"'", "the request body")
	}
	for _, ignored := range []string{"id", "links"} { // clients send back what they were shown
		delete(m, ignored)
	}
	return &fields{m: m}, nil
}

func (f *fields) wrong(name, kind string, v any) {
	if f.err == nil {
		f.err = api.Refuse(messages.Invalid, "Invalid input for field '%s': %s is not of type '%s'.", name, short(v), kind)
	}
}

func short(v any) string {
	s, limit := fmt.Sprintf("%#v", v), 100
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return s
}

// text is a field that is a string; nil where it is absent or null.
func (f *fields) text(name string) *string {
	v, ok := f.m[name]
	delete(f.m, name)
	if !ok || v == nil {
		return nil
	}
	s, ok := v.(string)
	if !ok {
		f.wrong(name, "string", v)
	}
	return &s
}

// is likewise for a boolean.
func (f *fields) is(name string) *bool {
	v, ok := f.m[name]
	delete(f.m, name)
	if !ok || v == nil {
		return nil
	}
	b, ok := v.(bool)
	if !ok {
		f.wrong(name, "boolean", v)
	}
	return &b
}

// texts is a list of strings; ok is false where it is absent or null.
func (f *fields) texts(name string) (list []string, ok bool) {
	v := f.m[name]
	delete(f.m, name)
	if v == nil {
		return nil, false
	}
	items, isList := v.([]any)
	if !isList {
		f.wrong(name, "array", v)
	}
	for _, item := range items {
		s, isText := item.(string)
		if !isText {
			f.wrong(name, "array of strings", v)
		}
		list = append(list, s)
	}
	return list, true
}

// refuse answers fields whose meaning this service does not have: nothing may
// be taken and then not be done. Empty, false and null ask for nothing.
func (f *fields) refuse(names ...string) {
	for _, name := range names {
		switch v := f.m[name].(type) {
		case nil:
		case bool:
			if v {
				f.unsupported(name)
			}
		case map[string]any:
			if len(v) > 0 {
				f.unsupported(name)
			}
		case []any:
			if len(v) > 0 {
				f.unsupported(name)
			}
		default:
			f.unsupported(name)
		}
		delete(f.m, name)
	}
}

func (f *fields) unsupported(name string) {
	if f.err == nil {
		f.err = api.Refuse(messages.Invalid, "This service has no '%s' to set.", name)
	}
}

// extra is what no reader took: strings that the directory keeps as they are.
func (f *fields) extra() map[string]string {
	extra := map[string]string{}
	for name, v := range f.m {
		switch s := v.(type) {
		case nil:
		case string:
			extra[name] = s
		default:
			f.wrong(name, "string", v)
		}
	}
	return extra
}

func or[T any](p *T, d T) T {
	if p == nil {
		return d
	}
	return *p
}

// enabled is the filter of that name; absent or no truth value: none.
func enabled(q url.Values) *bool {
	v := q.Get("enabled")
	if v == "" {
		return nil
	}
	b := !slices.Contains([]string{"0", "false", "False", "no"}, v)
	return &b
}
