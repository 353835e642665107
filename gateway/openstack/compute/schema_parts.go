package compute

// The pieces that the schemas of request bodies are made of.
var (
	nameType        = object{"type": "string", "format": "name", "minLength": 1, "maxLength": maxName}
	descriptionType = object{"type": list("string", "null"), "format": "printable", "maxLength": maxName}
	uuidType        = object{"type": "string", "format": "uuid"}
	stringType      = object{"type": "string"}
	anything        = object{}

	booleanType = object{
		"type": list("boolean", "string"),
		"enum": list(true, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes",
			false, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no"),
	}
	positiveType    = object{"type": list("integer", "string"), "pattern": "^[0-9]*$", "minLength": 1, "format": "positive"}
	flavorSize      = object{"type": list("integer", "string"), "pattern": "^[0-9]+$", "format": "positive"}
	flavorSizeOr0   = object{"type": list("integer", "string"), "pattern": "^[0-9]+$", "format": "non-negative"}
	quotaLimit      = object{"type": list("integer", "string"), "pattern": "^-?[0-9]+$", "format": "unlimited"}
	hostnameType    = object{"type": "string", "pattern": "^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$", "minLength": 2, "maxLength": maxHostname}
	fqdnType        = object{"type": "string", "pattern": "^[a-zA-Z0-9._-]*$", "minLength": 1, "maxLength": maxName}
	diskConfigType  = object{"type": "string", "enum": list("AUTO", "MANUAL")}
	tagType         = object{"type": "string", "pattern": "^[^,/]*$", "minLength": 1, "maxLength": maxTag}
	tagsType        = object{"type": "array", "items": tagType, "maxItems": maxTags}
	metadataType    = metadataOf(list("string"))
	extraSpecsType  = metadataOf(list("string", "number"))
	flavorText      = object{"type": list("string", "null"), "format": "printable", "maxLength": maxFlavorText}
	flavorReference = object{"type": list("string", "integer"), "minLength": 1}
)

// metadataOf is a table of short keys and values.
func metadataOf(types []any) object {
	return object{
		"type": "object",
		"patternProperties": object{
			"^[a-zA-Z0-9_:. -]{1,255}$": object{"type": types, "maxLength": maxMetadata},
		},
		"additionalProperties": false,
	}
}

func list(items ...any) []any { return items }

// fields is an object with these properties and no others.
func fields(properties object, required ...string) object {
	o := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		names := make([]any, len(required))
		for i, name := range required {
			names[i] = name
		}
		o["required"] = names
	}
	return o
}

// wrapped is a body whose one property holds everything: {"server": {…}}.
func wrapped(name string, inner object) object {
	return fields(object{name: inner}, name)
}

func arrayOf(items object) object { return object{"type": "array", "items": items} }
