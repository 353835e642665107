package naming

import (
	"strings"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
)

// maxMetadataBytes bounds metadata before they are read: the characters that there
// may be at most, each written as an escape, and as much again for what stands
// between them.
const maxMetadataBytes = 12 * service.MaxServiceMetadata

// parseMetadata reads metadata as clients write them: a JSON object of texts, or
// key=value with commas between. Nil for nothing.
func parseMetadata(s string, code api.Code) (map[string]string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	if len(s) > maxMetadataBytes {
		return nil, code.Errorf("the metadata are longer than %d bytes", maxMetadataBytes)
	}
	if s[0] == '{' || s == "null" {
		scan := wire.Scan([]byte(s))
		m := scan.TextMap()
		if err := scan.End(); err != nil {
			return nil, code.Errorf("metadata format incorrect: %w", err)
		}
		return m, nil
	}
	m := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if key = strings.TrimSpace(key); !ok || key == "" || strings.Contains(value, "=") {
			return nil, code.Errorf("metadata format incorrect:%s", api.Short(s))
		}
		m[key] = strings.TrimSpace(value)
	}
	return m, nil
}

// metadata is the parameter of that name.
func metadata(v *api.Values, code api.Code) map[string]string {
	m, err := parseMetadata(v.Text("metadata"), code)
	if err != nil {
		v.Fail(err)
	}
	return m
}
