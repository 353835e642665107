package eureka

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// readJSON reads a body of {"name":…}, and returns what the name is of.
func readJSON(raw []byte, name string, nodes int) (*node, error) {
	root, err := parseJSON(raw, nodes)
	if err != nil {
		return nil, err
	}
	n := root.kid(name)
	if n == nil {
		return nil, errShape
	}
	return n, nil
}

// parseJSON reads a body that is an object.
func parseJSON(raw []byte, nodes int) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	r := jsonReader{d, budget{maxDepth, nodes}}
	root := &node{}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, errShape
	}
	if err := r.object(root); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is more behind the body")
	}
	return root, nil
}

type jsonReader struct {
	*json.Decoder
	budget
}

// object reads members up to the closing brace.
func (r *jsonReader) object(into *node) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer r.leave()
	for r.More() {
		t, err := r.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string) // a decoder has seen to that
		if err := r.member(into, name); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}

// member reads the value of one name.
func (r *jsonReader) member(into *node, name string) error {
	t, err := r.Token()
	if err != nil {
		return err
	}
	if t == nil {
		return nil // null is as if it were not there
	}
	if t == json.Delim('[') {
		return r.array(into, name)
	}
	k := &node{name: name}
	if t == json.Delim('{') {
		err = r.object(k)
	} else {
		err = r.scalar(k, t)
	}
	if err != nil {
		return err
	}
	switch name {
	case "$":
		into.text = k.text
	case "@class":
		into.class = k.text
	case "@enabled":
		into.enabled = k.text
	default:
		into.kids = append(into.kids, k)
	}
	return nil
}

func (r *jsonReader) array(into *node, name string) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer r.leave()
	for r.More() {
		if err := r.member(into, name); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}

func (r *jsonReader) scalar(k *node, t json.Token) error {
	if err := r.enter(); err != nil {
		return err
	}
	r.leave()
	switch v := t.(type) {
	case string:
		k.text = v
	case json.Number:
		k.text = v.String()
	case bool:
		k.text = "false"
		if v {
			k.text = "true"
		}
	}
	return nil
}
