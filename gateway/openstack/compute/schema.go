package compute

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
)

// schema is the JSON schema of one request body, in each of its versions. They
// are compiled when first needed: a cloud that only serves its own clients needs
// few of them.
type schema struct {
	name     string
	steps    []int // minor versions at which it changed, rising
	build    func(minor int) object
	compiled sync.Map // step -> *form
}

// form is one version of a schema, and what it says of plain bodies.
type form struct {
	full  *jsonschema.Schema
	plain *rule
}

// object is a piece of a JSON schema, or a whole one.
type object = map[string]any

// versioned makes the schema that build describes, which changes at steps.
func versioned(name string, build func(minor int) object, steps ...int) *schema {
	return &schema{name: name, build: build, steps: append([]int{MinVersion.Minor}, steps...)}
}

// constant makes a schema that is the same in every version.
func constant(name string, doc object) *schema {
	return versioned(name, func(int) object { return doc })
}

// at is the schema as it stood at a minor version.
func (s *schema) at(minor int) *form {
	i, found := slices.BinarySearch(s.steps, minor)
	if !found && i > 0 {
		i--
	}
	step := s.steps[i]
	if c, ok := s.compiled.Load(step); ok {
		return c.(*form)
	}
	doc := s.build(step)
	c, _ := s.compiled.LoadOrStore(step, &form{mustCompile(fmt.Sprintf("%s-%d.json", s.name, step), doc), ruleOf(doc)})
	return c.(*form)
}

// mustCompile panics where the schema is wrong: it is ours, and a test compiles
// every one of them.
func mustCompile(name string, doc object) *jsonschema.Schema {
	raw, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Errorf("schema %s: %w", name, err))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		panic(fmt.Errorf("schema %s: %w", name, err))
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, f := range formats {
		c.RegisterFormat(&f)
	}
	if err := c.AddResource(name, value); err != nil {
		panic(fmt.Errorf("schema %s: %w", name, err))
	}
	return c.MustCompile(name)
}

// decode reads the body of r into a T, once s has nothing against it.
func decode[T any](r *api.Request, s *schema) (body T, err error) {
	raw, err := api.ReadJSON(r)
	if err != nil {
		return body, err
	}
	return parse[T](raw, s, r.Version.Minor)
}

// parse is decode for a body that was read.
func parse[T any](raw []byte, s *schema, minor int) (body T, err error) {
	form := s.at(minor)
	if form.plain.plain(raw) == fits && json.Unmarshal(raw, &body) == nil {
		return body, nil
	}
	return parseFully[T](raw, form)
}

// parseFully is parse for what is not plain, and for the words of a refusal.
func parseFully[T any](raw []byte, form *form) (body T, err error) {
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return body, badRequest("Malformed request body")
	}
	if err := form.full.Validate(tree); err != nil {
		return body, invalid(err, tree)
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return body, badRequest("Malformed request body: %v", err)
	}
	return body, nil
}
