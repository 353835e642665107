package image

import (
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/drivers/imageformat"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
)

type object = map[string]any

// schemas are the JSON schemas by which clients know what an image has.
var schemas = map[string]object{
	"image":   imageSchema(),
	"images":  listSchema("images", imageSchema()),
	"member":  memberSchema(),
	"members": listSchema("members", memberSchema()),
}

func schema(r *api.Request) (api.Response, error) {
	s, ok := schemas[r.PathValue("name")]
	if !ok {
		return api.Response{}, api.ErrNoRoute
	}
	return api.Response{Body: s}, nil
}

func imageSchema() object {
	text := func(of string) object {
		return object{"type": []string{"null", "string"}, "maxLength": image.MaxNameChars, "description": of}
	}
	fixed := func(kind any, of string) object { return object{"type": kind, "readOnly": true, "description": of} }
	maybe := []string{"null", "string"}
	var formats []any
	for _, f := range imageformat.Formats() {
		formats = append(formats, f)
	}
	return object{
		"name": "image",
		"properties": object{
			"id":               object{"type": "string", "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$", "description": "An identifier for the image"},
			"name":             text("Descriptive name for the image"),
			"owner":            text("Project that owns the image"),
			"status":           object{"type": "string", "readOnly": true, "enum": []string{"queued", "saving", "active", "deleted", "deactivated"}},
			"visibility":       object{"type": "string", "enum": []string{image.Community, image.Public, image.Private, image.Shared}},
			"protected":        object{"type": "boolean", "description": "If true, image will not be deletable."},
			"os_hidden":        object{"type": "boolean", "description": "If true, image will not appear in default image list response."},
			"container_format": object{"type": maybe, "enum": []any{nil, "ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"}},
			"disk_format":      object{"type": maybe, "enum": append([]any{nil}, formats...)},
			"min_disk":         object{"type": "integer", "description": "Amount of disk space (in GB) required to boot image."},
			"min_ram":          object{"type": "integer", "description": "Amount of ram (in MB) required to boot image."},
			"tags":             object{"type": "array", "items": object{"type": "string", "maxLength": image.MaxNameChars}},
			"size":             fixed([]string{"null", "integer"}, "Size of image file in bytes"),
			"virtual_size":     fixed([]string{"null", "integer"}, "Virtual size of image in bytes"),
			"checksum":         fixed(maybe, "md5 hash of image contents."),
			"os_hash_algo":     fixed(maybe, "Algorithm to calculate the os_hash_value"),
			"os_hash_value":    fixed(maybe, "Hexdigest of the image contents using the algorithm specified by the os_hash_algo"),
			"created_at":       fixed("string", "Date and time of image registration"),
			"updated_at":       fixed("string", "Date and time of the last image modification"),
			"self":             fixed("string", "An image self url"),
			"file":             fixed("string", "An image file url"),
			"schema":           fixed("string", "An image schema url"),
		},
		"additionalProperties": object{"type": "string"},
		"links":                []object{{"href": "{self}", "rel": "self"}, {"href": "{file}", "rel": "enclosure"}, {"href": "{schema}", "rel": "describedby"}},
	}
}

func memberSchema() object {
	stamp := object{"type": "string", "readOnly": true}
	return object{
		"name": "member",
		"properties": object{
			"member_id": object{"type": "string"}, "image_id": object{"type": "string"},
			"status":     object{"type": "string", "enum": []string{image.Pending, image.Accepted, image.Rejected}},
			"created_at": stamp, "updated_at": stamp, "schema": object{"type": "string", "readOnly": true},
		},
	}
}

// listSchema is that of a page of items.
func listSchema(name string, item object) object {
	link := object{"type": "string"}
	return object{
		"name":       name,
		"properties": object{name: object{"type": "array", "items": item}, "first": link, "next": link, "schema": link},
		"links":      []object{{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}, {"rel": "describedby", "href": "{schema}"}},
	}
}
