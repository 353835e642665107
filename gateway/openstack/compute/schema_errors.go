package compute

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// invalid words the first thing that is wrong with tree as Nova does.
func invalid(err error, tree any) error {
	var root *jsonschema.ValidationError
	if !errors.As(err, &root) {
		return badRequest("Malformed request body")
	}
	e := first(root)
	value := lookup(tree, e.InstanceLocation)
	message := worded(e.ErrorKind, value)
	if f, ok := e.ErrorKind.(*kind.Format); ok && slices.Contains(nameFormats, f.Want) {
		return badRequest("%s", message)
	}
	if len(e.InstanceLocation) == 0 {
		return badRequest("%s", message)
	}
	return badRequest("Invalid input for field/attribute %s. Value: %s. %s",
		e.InstanceLocation[len(e.InstanceLocation)-1], shown(value), message)
}

// first is the error to tell of: the one nearest to the root of the body, then
// the first by path and wording, so that the same mistake gives the same answer.
func first(root *jsonschema.ValidationError) *jsonschema.ValidationError {
	var all []*jsonschema.ValidationError
	var collect func(*jsonschema.ValidationError)
	collect = func(e *jsonschema.ValidationError) {
		switch e.ErrorKind.(type) {
		case *kind.OneOf, *kind.AnyOf: // which branch was meant nobody knows
			all = append(all, e)
			return
		}
		if len(e.Causes) == 0 {
			all = append(all, e)
		}
		for _, c := range e.Causes {
			collect(c)
		}
	}
	collect(root)
	return slices.MinFunc(all, func(a, b *jsonschema.ValidationError) int {
		if d := len(a.InstanceLocation) - len(b.InstanceLocation); d != 0 {
			return d
		}
		if d := slices.Compare(a.InstanceLocation, b.InstanceLocation); d != 0 {
			return d
		}
		return strings.Compare(fmt.Sprintf("%T", a.ErrorKind), fmt.Sprintf("%T", b.ErrorKind))
	})
}

// lookup is the part of tree that path leads to; nil if it leads nowhere.
func lookup(tree any, path []string) any {
	for _, step := range path {
		switch node := tree.(type) {
		case map[string]any:
			tree = node[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(node) {
				return nil
			}
			tree = node[i]
		default:
			return nil
		}
	}
	return tree
}

// worded says what is wrong with v in the words of Python's jsonschema, which
// is where Nova has them from.
func worded(k jsonschema.ErrorKind, v any) string {
	switch k := k.(type) {
	case *kind.Type:
		return repr(v) + " is not of type " + quotedList(k.Want)
	case *kind.Required:
		return repr(k.Missing[0]) + " is a required property"
	case *kind.AdditionalProperties:
		return unexpected(k.Properties)
	case *kind.MinLength, *kind.MinItems:
		return repr(v) + " is too short"
	case *kind.MaxLength, *kind.MaxItems:
		return repr(v) + " is too long"
	case *kind.Pattern:
		return repr(v) + " does not match " + repr(k.Want)
	case *kind.Enum:
		return repr(v) + " is not one of " + repr(k.Want)
	case *kind.Const:
		return repr(k.Want) + " was expected"
	case *kind.OneOf, *kind.AnyOf:
		return repr(v) + " is not valid under any of the given schemas"
	case *kind.UniqueItems:
		return repr(v) + " has non-unique elements"
	case *kind.MinProperties:
		return repr(v) + " does not have enough properties"
	case *kind.MaxProperties:
		return repr(v) + " has too many properties"
	case *kind.Format:
		var said saying
		if errors.As(k.Err, &said) {
			return string(said)
		}
		return repr(v) + " is not a " + repr(k.Want)
	}
	return repr(v) + " is not valid"
}

// unexpected tells of properties that nobody knows.
func unexpected(properties []string) string {
	slices.Sort(properties)
	verb := "were"
	if len(properties) == 1 {
		verb = "was"
	}
	return "Additional properties are not allowed (" + quotedList(properties) + " " + verb + " unexpected)"
}

func quotedList(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = repr(s)
	}
	return clip(strings.Join(quoted, ", "))
}
