package image

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// patchTypes are the media types that a PATCH may have.
var patchTypes = map[string]bool{
	"application/openstack-images-v2.1-json-patch": true,
	"application/openstack-images-v2.0-json-patch": true,
}

// maxPatchOps bounds one PATCH.
const maxPatchOps = 512

// operation is one change to one attribute.
type operation struct {
	op, name string
	value    json.RawMessage
}

func (a *API) update(r *api.Request) (api.Response, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !patchTypes[kind] {
		return api.Response{}, api.WithStatus(http.StatusUnsupportedMediaType,
			fmt.Errorf("an image is changed by application/openstack-images-v2.1-json-patch: %w", messages.Invalid))
	}
	raw, err := api.ReadJSON(r)
	if err != nil {
		return api.Response{}, err
	}
	ops, err := parsePatch(raw)
	if err != nil {
		return api.Response{}, err
	}
	now, err := a.get(r)
	if err != nil {
		return api.Response{}, err
	}
	change, err := changes(ops, now)
	if err != nil {
		return api.Response{}, err
	}
	v, err := ask[*messages.ImageView](a, r, func(scope string) proto.Message {
		change.Scope = scope
		return change
	})
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: render(v)}, nil
}

// parsePatch reads operations of version 2.1, {"op","path","value"}, and of
// version 2.0, {"<op>":"<path>","value"}.
func parsePatch(raw []byte) ([]operation, error) {
	var items []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, fmt.Errorf("the request body must be a JSON array of operation objects: %w", messages.Invalid)
	}
	if len(items) > maxPatchOps {
		return nil, fmt.Errorf("a patch has at most %d operations: %w", maxPatchOps, messages.Invalid)
	}
	var ops []operation
	for _, item := range items {
		o, err := parseOperation(item)
		if err != nil {
			return nil, err
		}
		ops = append(ops, o)
	}
	return ops, nil
}

func parseOperation(item map[string]json.RawMessage) (operation, error) {
	op, _ := text(item["op"])
	path, _ := text(item["path"])
	for _, old := range []string{"add", "replace", "remove"} {
		if p, ok := text(item[old]); ok && op == "" {
			op, path = old, p
		}
	}
	value, has := item["value"]
	switch {
	case op != "add" && op != "replace" && op != "remove":
		return operation{}, fmt.Errorf("operations must be add, replace or remove: %w", messages.Invalid)
	case op != "remove" && !has:
		return operation{}, fmt.Errorf("operation '%s' requires a member named 'value': %w", op, messages.Invalid)
	}
	name, err := pointer(path)
	return operation{op, name, value}, err
}

// pointer is the attribute that a JSON pointer (RFC 6901) of one step names.
func pointer(path string) (string, error) {
	name, ok := strings.CutPrefix(path, "/")
	if !ok || name == "" || strings.Contains(name, "/") {
		return "", fmt.Errorf("'%.80s' is not a pointer to an attribute of an image: %w", path, messages.Invalid)
	}
	for i := 0; i < len(name); i++ {
		if name[i] == '~' && (i+1 == len(name) || (name[i+1] != '0' && name[i+1] != '1')) {
			return "", fmt.Errorf("pointer '%.80s' contains a '~' that is not part of an escape: %w", path, messages.Invalid)
		}
	}
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(name), nil
}

// changes says in one command what the operations make of the image as it is now.
func changes(ops []operation, now *messages.ImageView) (*messages.UpdateImage, error) {
	u := &messages.UpdateImage{}
	has := map[string]bool{}
	for name := range now.Properties {
		has[name] = true
	}
	for _, o := range ops {
		_, isField := fields[o.name]
		if !isField && o.op != "add" && !has[o.name] {
			if err := set(&messages.UpdateImage{}, o.name, json.RawMessage(`""`)); err != nil {
				return nil, err // read-only rather than absent
			}
			return nil, fmt.Errorf("property %.80s does not exist: %w", o.name, messages.Conflict)
		}
		switch {
		case o.op != "remove":
			if err := set(u, o.name, o.value); err != nil {
				return nil, err
			}
			has[o.name] = true
		case isField:
			return nil, fmt.Errorf("property %s may not be removed: %w", o.name, messages.Denied)
		default:
			delete(u.SetProperties, o.name)
			delete(has, o.name)
			u.RemoveProperties = append(u.RemoveProperties, o.name)
		}
	}
	return u, nil
}
