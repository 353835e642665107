package image

import (
	"encoding/json"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

var statusNames = map[messages.ImageStatus]string{
	messages.ImageStatus_IMAGE_STATUS_QUEUED:      "queued",
	messages.ImageStatus_IMAGE_STATUS_SAVING:      "saving",
	messages.ImageStatus_IMAGE_STATUS_ACTIVE:      "active",
	messages.ImageStatus_IMAGE_STATUS_DEACTIVATED: "deactivated",
	messages.ImageStatus_IMAGE_STATUS_DELETED:     "deleted",
}

// render is an image as the API shows it: properties stand beside the fields,
// and what is not known yet is null.
func render(v *messages.ImageView) map[string]any {
	body := make(map[string]any, 24+len(v.Properties))
	for name, value := range v.Properties {
		body[name] = value
	}
	self := "/v2/images/" + v.Id
	for name, value := range map[string]any{
		"id": v.Id, "name": orNull(v.Name), "status": statusNames[v.Status], "visibility": v.Visibility,
		"protected": v.Protected, "os_hidden": v.Hidden, "owner": orNull(v.ProjectId),
		"container_format": orNull(v.ContainerFormat), "disk_format": orNull(v.DiskFormat),
		"min_disk": v.MinDiskGib, "min_ram": v.MinRamMib, "tags": v.Tags,
		"created_at": stamp(v.CreatedAt), "updated_at": stamp(v.UpdatedAt),
		"size": nil, "virtual_size": nil, "checksum": nil, "os_hash_algo": nil, "os_hash_value": nil,
		"self": self, "file": self + "/file", "schema": "/v2/schemas/image",
	} {
		body[name] = value
	}
	if v.Tags == nil {
		body["tags"] = []string{}
	}
	if v.Sha256 != "" {
		body["size"], body["virtual_size"], body["checksum"] = v.SizeBytes, v.VirtualBytes, v.Md5
		body["os_hash_algo"], body["os_hash_value"] = "sha512", v.Sha512
	}
	return body
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// stamp is a time as Glance writes it: UTC, whole seconds.
func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05Z") }

// field is one value of an image as text, for filters and sorting; absent ones
// are "" and false.
func field(v *messages.ImageView, name string) (string, bool) {
	switch name {
	case "id":
		return v.Id, true
	case "name":
		return v.Name, true
	case "status":
		return statusNames[v.Status], true
	case "owner":
		return v.ProjectId, true
	case "visibility":
		return v.Visibility, true
	case "container_format":
		return v.ContainerFormat, true
	case "disk_format":
		return v.DiskFormat, true
	case "checksum":
		return v.Md5, true
	case "os_hash_value":
		return v.Sha512, true
	case "os_hash_algo":
		return "sha512", v.Sha512 != ""
	}
	value, ok := v.Properties[name]
	return value, ok
}

// number is one value of an image that is a number.
func number(v *messages.ImageView, name string) (int64, bool) {
	switch name {
	case "size":
		return v.SizeBytes, true
	case "virtual_size":
		return v.VirtualBytes, true
	case "min_ram":
		return v.MinRamMib, true
	case "min_disk":
		return v.MinDiskGib, true
	case "created_at":
		return v.CreatedAt, true
	case "updated_at":
		return v.UpdatedAt, true
	}
	return 0, false
}

// text is a JSON value as the string it stands for.
func text(raw json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	if s == nil {
		return "", true
	}
	return *s, true
}
