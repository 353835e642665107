package configs

import (
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
)

// metadata is the description in an archive of v2.
type metadata struct {
	Metadata []metadataItem `yaml:"metadata"`
}

// metadataItem describes one config. Archives that this package makes hold no tags:
// versions of Nacos that do not know them would refuse the archive.
type metadataItem struct {
	App    string `yaml:"appName"`
	DataID string `yaml:"dataId"`
	Desc   string `yaml:"desc"`
	Group  string `yaml:"group"`
	Type   string `yaml:"type"`
	Tags   string `yaml:"configTags,omitempty"`
}

// parseMetadata reads the description in an archive of v2. Each config needs group,
// data id and type.
func parseMetadata(text string) (*description, error) {
	if hasAliases(text) {
		return nil, errNoMetadata
	}
	var m metadata
	if err := yaml.Unmarshal([]byte(text), &m); err != nil || len(m.Metadata) == 0 {
		return nil, errNoMetadata
	}
	if len(m.Metadata) > maxItems {
		return nil, api.ImportMetadata.Errorf("the archive describes more than %d configs", maxItems)
	}
	d := &description{listed: true, about: map[wire.TransferKey]*described{}}
	for _, it := range m.Metadata {
		if blank(it.DataID) || blank(it.Group) || blank(it.Type) {
			return nil, errNoMetadata
		}
		key := wire.TransferKey{DataID: it.DataID, Group: it.Group}
		if d.about[key] == nil {
			d.order = append(d.order, key)
		}
		d.about[key] = &described{app: it.App, desc: it.Desc, kind: it.Type, tags: it.Tags}
	}
	return d, nil
}

// hasAliases says whether a document refers to parts of itself: no archive of
// Nacos does, and a few lines could grow without end.
func hasAliases(text string) bool {
	var n yaml.Node
	if yaml.Unmarshal([]byte(text), &n) != nil {
		return true
	}
	return anyAlias(&n, 0)
}

// maxDepth is how deep a description may be nested; Nacos' have three levels.
const maxDepth = 8

func anyAlias(n *yaml.Node, depth int) bool {
	if n.Kind == yaml.AliasNode || depth > maxDepth {
		return true
	}
	for _, child := range n.Content {
		if anyAlias(child, depth+1) {
			return true
		}
	}
	return false
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// parseMeta reads the description in an archive of v1: lines NAME=APP.
func parseMeta(text string) (*description, error) {
	d := &description{apps: map[string]string{}}
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' || r == '|' }) {
		if blank(line) {
			continue
		}
		name, app, ok := strings.Cut(line, "=")
		if !ok || len(d.apps) >= maxItems {
			return nil, errNoMetadata
		}
		d.apps[strings.TrimSpace(name)] = strings.TrimSpace(app)
	}
	return d, nil
}

// metaName is what v1 calls a config in its description: GROUP.DATAID.app, in which
// the last dot of the data id is a tilde.
func metaName(group, dataID string) string {
	if at := strings.LastIndexByte(dataID, '.'); at >= 0 {
		dataID = dataID[:at] + "~" + dataID[at+1:]
	}
	return group + "." + dataID + ".app"
}
