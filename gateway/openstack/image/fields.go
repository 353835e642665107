package image

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/drivers/imageformat"
	"github.com/troupe-cloud/troupe/messages"
)

// readOnly are attributes that only the service sets, or that are set once.
var readOnly = []string{
	"status", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "created_at", "updated_at",
	"self", "file", "schema", "direct_url", "stores", "id", "owner",
}

// reserved are names that no attribute has, nor a property may have.
var reserved = []string{"deleted", "deleted_at", "locations", "is_public", "properties", "members", "location"}

// fields are the attributes that callers may set, each with what it makes of a
// JSON value. A property is whatever is not listed anywhere.
var fields = map[string]func(u *messages.UpdateImage, raw json.RawMessage) bool{
	"name":             textField(func(u *messages.UpdateImage, s string) { u.Name = &s }),
	"visibility":       textField(func(u *messages.UpdateImage, s string) { u.Visibility = &s }),
	"container_format": textField(func(u *messages.UpdateImage, s string) { u.ContainerFormat = &s }),
	"disk_format":      diskFormat,
	"protected":        boolField(func(u *messages.UpdateImage, b bool) { u.Protected = &b }),
	"os_hidden":        boolField(func(u *messages.UpdateImage, b bool) { u.Hidden = &b }),
	"min_disk":         numberField(func(u *messages.UpdateImage, n int64) { u.MinDiskGib = &n }),
	"min_ram":          numberField(func(u *messages.UpdateImage, n int64) { u.MinRamMib = &n }),
	"tags":             tagsField,
}

// set puts one attribute into u; refusals are in the words of the dialect.
func set(u *messages.UpdateImage, name string, raw json.RawMessage) error {
	switch {
	case slices.Contains(readOnly, name):
		return fmt.Errorf("attribute '%s' is read-only: %w", name, messages.Denied)
	case slices.Contains(reserved, name):
		return fmt.Errorf("attribute '%s' is reserved: %w", name, messages.Denied)
	}
	if f, ok := fields[name]; ok {
		if !f(u, raw) {
			return mismatch(name, raw)
		}
		return nil
	}
	value, ok := text(raw)
	if !ok || string(raw) == "null" {
		return mismatch(name, raw)
	}
	if u.SetProperties == nil {
		u.SetProperties = map[string]string{}
	}
	u.SetProperties[name] = value
	return nil
}

func mismatch(name string, raw json.RawMessage) error {
	return fmt.Errorf("the image does not match its schema: %.80s is not a value that '%.80s' can have: %w", raw, name, messages.Invalid)
}

func textField(put func(*messages.UpdateImage, string)) func(*messages.UpdateImage, json.RawMessage) bool {
	return func(u *messages.UpdateImage, raw json.RawMessage) bool {
		s, ok := text(raw)
		if ok {
			put(u, s)
		}
		return ok
	}
}

func boolField(put func(*messages.UpdateImage, bool)) func(*messages.UpdateImage, json.RawMessage) bool {
	return func(u *messages.UpdateImage, raw json.RawMessage) bool {
		var b *bool
		if json.Unmarshal(raw, &b) != nil || b == nil {
			return false
		}
		put(u, *b)
		return true
	}
}

func numberField(put func(*messages.UpdateImage, int64)) func(*messages.UpdateImage, json.RawMessage) bool {
	return func(u *messages.UpdateImage, raw json.RawMessage) bool {
		var n *int64
		if json.Unmarshal(raw, &n) != nil || n == nil {
			return false
		}
		put(u, *n)
		return true
	}
}

func tagsField(u *messages.UpdateImage, raw json.RawMessage) bool {
	var tags []string
	if json.Unmarshal(raw, &tags) != nil {
		return false
	}
	u.ReplaceTags, u.AddTags = true, tags
	return true
}

// diskFormat takes the formats whose content can be inspected.
func diskFormat(u *messages.UpdateImage, raw json.RawMessage) bool {
	s, ok := text(raw)
	if !ok || (s != "" && !slices.Contains(imageformat.Formats(), imageformat.Format(s))) {
		return false
	}
	u.DiskFormat = proto.String(s)
	return true
}

// newImage reads the body of a create request: an image with its id.
func newImage(raw []byte) (*messages.ImageView, error) {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(raw, &body); err != nil || body == nil {
		return nil, fmt.Errorf("the body is not a JSON object: %w", messages.Invalid)
	}
	v := &messages.ImageView{Id: uuid.NewString()}
	u := &messages.UpdateImage{}
	for name, value := range body {
		switch name {
		case "id":
			if s, ok := text(value); !ok || !isUUID(s) {
				return nil, mismatch(name, value)
			}
			v.Id, _ = text(value)
		case "owner":
			owner, ok := text(value)
			if !ok {
				return nil, mismatch(name, value)
			}
			v.ProjectId = owner
		default:
			if err := set(u, name, value); err != nil {
				return nil, err
			}
		}
	}
	v.Name, v.Visibility, v.Protected, v.Hidden = u.GetName(), u.GetVisibility(), u.GetProtected(), u.GetHidden()
	v.ContainerFormat, v.DiskFormat = u.GetContainerFormat(), u.GetDiskFormat()
	v.MinDiskGib, v.MinRamMib, v.Tags, v.Properties = u.GetMinDiskGib(), u.GetMinRamMib(), u.AddTags, u.SetProperties
	return v, nil
}
