package eureka

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

var (
	errDTD     = errors.New("a body has no document type")
	errCharset = errors.New("a body is UTF-8")
)

// readXML reads a body whose one element is called name. Go's decoder knows no
// external entities and expands none that a document declares; a declaration is
// refused anyhow, for nobody has a use for it.
func readXML(raw []byte, name string, nodes int) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(raw))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(label, "us-ascii") || strings.EqualFold(label, "ascii") {
			return in, nil
		}
		return nil, errCharset
	}
	r := xmlReader{d, budget{maxDepth, nodes}}
	var root *node
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, errDTD
		case xml.StartElement:
			if root != nil {
				return nil, errors.New("there is more than one element")
			}
			if root, err = r.element(t); err != nil {
				return nil, err
			}
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return nil, errors.New("there is text outside of the element")
			}
		}
	}
	if root == nil || root.name != name {
		return nil, fmt.Errorf("the element is no %s: %w", name, errShape)
	}
	return root, nil
}

type xmlReader struct {
	*xml.Decoder
	budget
}

// element reads what stands between a start and its end.
func (r *xmlReader) element(start xml.StartElement) (*node, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer r.leave()
	n := &node{name: fromXMLName(start.Name.Local)}
	for _, a := range start.Attr {
		switch a.Name.Local {
		case "class":
			n.class = a.Value
		case "enabled":
			n.enabled = a.Value
		}
	}
	var text []byte
	for {
		t, err := r.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, errDTD
		case xml.StartElement:
			k, err := r.element(t)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, k)
		case xml.CharData:
			text = append(text, t...)
		case xml.EndElement:
			n.text = string(text)
			return n, nil
		}
	}
}
