package compute

import (
	"regexp"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A body as clients send it is plain: texts of printable ASCII without escapes, whole
// numbers, nothing said twice. Whether a schema takes such a body is seen by reading it
// once, where the schema's own validator first makes a tree of it: half of all garbage
// that reading a POST made. What is said here is never another thing than the validator
// says (a fuzz target); it is asked where this is not sure, and for the wording of a no.

// verdict is what a rule says of a value.
type verdict uint8

const (
	unsure verdict = iota // ask the validator
	fits
	misfit
)

// sort is what a value is, as a set so that a rule may take several.
type sort uint8

const (
	isObject sort = 1 << iota
	isArray
	isText
	isNumber
	isTruth
	isNull
)

var sorts = map[string]sort{
	"object": isObject, "array": isArray, "string": isText, "integer": isNumber, "number": isNumber,
	"boolean": isTruth, "null": isNull,
}

// maxProperties is how many properties a plain rule tells apart.
const maxProperties = 64

// rule is a schema, or a part of one, as far as it is about plain values.
type rule struct {
	vague   bool // it says something that rules know nothing of
	takes   sort // 0: everything
	options []*rule
	enum    []any // texts and truth values; nil: any

	least, most int // characters
	pattern     *regexp.Regexp
	format      *jsonschema.Format

	properties map[string]property
	required   uint64 // a bit for each property
	open       bool   // there may be others
	keys       []keyed

	items       *rule
	fewest, max int // items
}

type property struct {
	bit  uint64
	rule *rule
}

// keyed is what is said of properties whose names match.
type keyed struct {
	names *regexp.Regexp
	rule  *rule
}

// unbounded is more than any body has.
const unbounded = MaxBody + 1

// ruleOf makes the rule of doc.
func ruleOf(doc object) *rule {
	r := &rule{most: unbounded, max: unbounded, open: true}
	for key, value := range doc {
		if !r.says(key, value) {
			r.vague = true
		}
	}
	if doc["required"] != nil {
		r.vague = r.vague || !r.requires(doc["required"].([]any))
	}
	both := len(r.properties) > 0 && len(r.keys) > 0 // may be about the same
	r.vague = r.vague || both || r.options != nil && len(doc) > 1
	return r
}

// says adds one thing that a schema says; false if rules know nothing of it.
func (r *rule) says(key string, value any) bool {
	switch key {
	case "type":
		return r.types(value)
	case "format":
		at := slices.IndexFunc(formats, func(f jsonschema.Format) bool { return f.Name == value })
		if at >= 0 {
			r.format = &formats[at]
		}
		return at >= 0
	case "minLength":
		r.least = value.(int)
	case "maxLength":
		r.most = value.(int)
	case "minItems":
		r.fewest = value.(int)
	case "maxItems":
		r.max = value.(int)
	case "pattern":
		r.pattern = regexp.MustCompile(value.(string))
	case "enum":
		r.enum = value.([]any)
	case "oneOf":
		for _, o := range value.([]any) {
			r.options = append(r.options, ruleOf(o.(object)))
		}
	case "items":
		r.items = ruleOf(value.(object))
	case "properties":
		return r.has(value.(object))
	case "patternProperties":
		for names, o := range value.(object) {
			r.keys = append(r.keys, keyed{regexp.MustCompile(names), ruleOf(o.(object))})
		}
	case "additionalProperties":
		open, known := value.(bool)
		r.open = open
		return known
	case "required": // when the properties are known
	default:
		return false
	}
	return true
}

func (r *rule) types(value any) bool {
	names, several := value.([]any)
	if !several {
		names = []any{value}
	}
	for _, name := range names {
		r.takes |= sorts[name.(string)]
	}
	return true
}

func (r *rule) has(properties object) bool {
	r.properties = make(map[string]property, len(properties))
	for name, o := range properties {
		r.properties[name] = property{1 << len(r.properties), ruleOf(o.(object))}
	}
	return len(properties) <= maxProperties
}

// requires says which properties there must be; false if it knows nothing of one.
func (r *rule) requires(names []any) bool {
	for _, name := range names {
		p, ok := r.properties[name.(string)]
		if !ok {
			return false
		}
		r.required |= p.bit
	}
	return true
}

// takesText says whether a text may be s.
func (r *rule) takesText(s []byte) verdict {
	switch {
	case r.enum != nil && !slices.ContainsFunc(r.enum, func(e any) bool { t, ok := e.(string); return ok && t == string(s) }),
		len(s) < r.least, len(s) > r.most, r.pattern != nil && !r.pattern.Match(s):
		return misfit
	case r.format == nil:
		return fits
	}
	switch r.format.Name {
	case "printable": // as all that is plain
		return fits
	case "name":
		return when(len(s) == 0 || s[0] != ' ' && s[len(s)-1] != ' ')
	case "uuid":
		return when(uuidLike(s))
	case "positive", "non-negative", "unlimited":
		return unsure // in numbers as people write them there are other things than digits
	}
	return when(r.format.Validate(string(s)) == nil)
}

// takesNumber says whether a number may be n.
func (r *rule) takesNumber(n int) verdict {
	switch {
	case r.enum != nil:
		return unsure
	case r.format == nil:
		return fits
	}
	switch r.format.Name {
	case "positive":
		return when(n >= 1)
	case "non-negative":
		return when(n >= 0)
	case "unlimited":
		return when(n >= -1)
	}
	return when(r.format.Validate(jsonNumber(n)) == nil)
}

// takesBool says whether a truth value may be b.
func (r *rule) takesBool(b bool) verdict {
	return when(r.enum == nil || slices.Contains(r.enum, any(b)))
}

func when(ok bool) verdict {
	if ok {
		return fits
	}
	return misfit
}
