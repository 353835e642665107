package compute

// The bodies of the server requests, version by version (API reference,
// "Servers"). A property that is missing here is refused.

var createServerSchema = versioned("create-server", createServerDoc, 19, 32, 33, 37, 42, 52, 57, 63, 67, 74, 90, 94)

func createServerDoc(minor int) object {
	server := object{
		"name":      nameType,
		"imageRef":  object{"oneOf": list(uuidType, object{"type": "string", "maxLength": 0})},
		"flavorRef": flavorReference, "adminPass": stringType, "metadata": metadataType,
		"networks":          networksDoc(minor),
		"OS-DCF:diskConfig": diskConfigType,
		"accessIPv4":        object{"type": "string", "format": "ipv4"},
		"accessIPv6":        object{"type": "string", "format": "ipv6"},
		"availability_zone": nameType, "config_drive": booleanType, "key_name": nameType,
		"min_count": positiveType, "max_count": positiveType, "return_reservation_id": booleanType,
		"security_groups":         arrayOf(fields(object{"name": nameType})),
		"user_data":               object{"type": "string", "format": "base64", "maxLength": maxUserData},
		"block_device_mapping":    arrayOf(fields(legacyBlockDevice())),
		"block_device_mapping_v2": arrayOf(fields(blockDeviceDoc(minor))),
	}
	required := []string{"name", "flavorRef"}
	if minor >= 19 {
		server["description"] = descriptionType
	}
	if minor >= 37 {
		required = append(required, "networks")
	}
	if minor >= 52 {
		server["tags"] = tagsType
	}
	if minor < 57 {
		server["personality"] = arrayOf(fields(object{
			"path": stringType, "contents": object{"type": "string", "format": "base64"},
		}))
	}
	if minor >= 63 {
		server["trusted_image_certificates"] = object{
			"type": list("array", "null"), "minItems": 1, "maxItems": maxTrusted,
			"uniqueItems": true, "items": object{"type": "string", "minLength": 1},
		}
	}
	if minor >= 74 {
		server["host"], server["hypervisor_hostname"] = fqdnType, fqdnType
	}
	if minor >= 90 {
		server["hostname"] = hostnameDoc(minor)
	}
	return fields(object{
		"server":                     fields(server, required...),
		"os:scheduler_hints":         hintsDoc(),
		"OS-SCH-HNT:scheduler_hints": hintsDoc(),
	}, "server")
}

func hostnameDoc(minor int) object {
	if minor >= 94 {
		return fqdnType
	}
	return hostnameType
}

func networksDoc(minor int) object {
	network := object{
		"fixed_ip": object{"type": "string", "format": "ip"},
		"port":     object{"type": list("string", "null"), "format": "uuid"},
		"uuid":     stringType,
	}
	if minor >= 37 {
		network["uuid"] = uuidType
	}
	if minor >= 42 || minor >= 32 && minor <= 36 {
		network["tag"] = tagType
	}
	networks := arrayOf(fields(network))
	if minor < 37 {
		return networks
	}
	return object{"oneOf": list(networks, object{"type": "string", "enum": list("none", "auto")})}
}

func legacyBlockDevice() object {
	return object{
		"virtual_name": object{"type": "string", "maxLength": maxName},
		"volume_id":    uuidType, "snapshot_id": uuidType, "volume_size": flavorSize,
		"device_name":           object{"type": "string", "minLength": 1, "maxLength": maxName, "pattern": "^[a-zA-Z0-9._/-]*$"},
		"delete_on_termination": booleanType, "no_device": anything, "connection_info": stringType,
	}
}

func blockDeviceDoc(minor int) object {
	d := legacyBlockDevice()
	d["source_type"] = object{"type": "string", "enum": list("volume", "image", "snapshot", "blank")}
	d["uuid"] = object{"type": "string", "minLength": 1, "maxLength": maxName, "pattern": "^[a-zA-Z0-9._-]*$"}
	d["image_id"] = uuidType
	d["destination_type"] = object{"type": "string", "enum": list("local", "volume")}
	for _, name := range []string{"guest_format", "device_type", "disk_bus"} {
		d[name] = object{"type": "string", "maxLength": maxName}
	}
	d["boot_index"] = object{"type": list("integer", "string", "null"), "pattern": "^-?[0-9]+$"}
	if minor >= 42 || minor == 32 {
		d["tag"] = tagType
	}
	if minor >= 67 {
		d["volume_type"] = object{"type": list("string", "null"), "maxLength": maxName}
	}
	return d
}

// hintsDoc lets any hint through, as Nova does: which of them mean something is
// for the scheduler to know.
func hintsDoc() object { return object{"type": "object", "additionalProperties": true} }

var updateServerSchema = versioned("update-server", func(minor int) object {
	server := object{
		"name":              nameType,
		"OS-DCF:diskConfig": diskConfigType,
		"accessIPv4":        object{"type": "string", "format": "ipv4"},
		"accessIPv6":        object{"type": "string", "format": "ipv6"},
	}
	if minor >= 19 {
		server["description"] = descriptionType
	}
	if minor >= 90 {
		server["hostname"] = hostnameDoc(minor)
	}
	return wrapped("server", fields(server))
}, 19, 90, 94)

var (
	putMetadataSchema = constant("server-metadata", wrapped("metadata", metadataType))
	putMetaSchema     = constant("server-meta", wrapped("meta", object{
		"type": "object", "patternProperties": metadataType["patternProperties"],
		"additionalProperties": false, "minProperties": 1, "maxProperties": 1,
	}))
	putTagsSchema = constant("server-tags", wrapped("tags", tagsType))
)

// The bodies of POST /servers/{id}/action, by the action's name.
var (
	rebootSchema = constant("reboot", wrapped("reboot", fields(object{
		"type": object{"type": "string", "enum": list("HARD", "Hard", "hard", "SOFT", "Soft", "soft")},
	}, "type")))
	startSchema       = constant("os-start", wrapped("os-start", anything))
	stopSchema        = constant("os-stop", wrapped("os-stop", anything))
	forceDeleteSchema = constant("forceDelete", wrapped("forceDelete", anything))
	consoleSchema     = constant("os-getConsoleOutput", wrapped("os-getConsoleOutput", fields(object{
		"length": object{"type": list("integer", "string", "null"), "pattern": "^-?[0-9]+$", "format": "unlimited"},
	})))
)
