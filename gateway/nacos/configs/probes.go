package configs

import (
	"net/url"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// Separators within Listening-Configs, and how they look when they were escaped
// twice, as some clients do.
const (
	wordEnd, lineEnd               = '\x02', '\x01'
	escapedWordEnd, escapedLineEnd = "%02", "%01"
)

// probe is one key of a poll: what the client has of it.
type probe struct {
	dataID, group, tenant string // as the client spells them
	md5                   string // empty: it has nothing
}

func (p probe) key() api.Key {
	return api.Key{Namespace: api.Namespace(p.tenant), Group: p.group, Name: p.dataID}
}

// parseProbes reads Listening-Configs: entries that end in 0x01, of the fields data
// id, group, MD5 and perhaps tenant with 0x02 between them. What is read shares s.
func parseProbes(s string) ([]probe, error) {
	if !strings.ContainsRune(s, lineEnd) && strings.Contains(s, escapedLineEnd) {
		if once, err := url.QueryUnescape(s); err == nil {
			s = once
		}
	}
	lines := strings.Count(s, string(lineEnd))
	if lines > maxKeys {
		return nil, api.Busy.Errorf("a poll is about more than %d keys", maxKeys)
	}
	probes := make([]probe, 0, lines)
	for s != "" {
		line, rest, ended := strings.Cut(s, string(lineEnd))
		if !ended && strings.TrimSpace(line) == "" {
			break
		}
		p, err := parseProbe(line)
		if err != nil || !ended {
			return nil, errProbe
		}
		probes, s = append(probes, p), rest
	}
	if len(probes) == 0 {
		return nil, errProbe
	}
	return probes, nil
}

var errProbe = api.ParameterInvalid.Errorf("invalid probeModify")

func parseProbe(line string) (probe, error) {
	var fields [4]string
	n := 0
	for {
		field, rest, more := strings.Cut(line, string(wordEnd))
		if n == len(fields) {
			return probe{}, errProbe
		}
		fields[n] = field
		n++
		if !more {
			break
		}
		line = rest
	}
	p := probe{dataID: fields[0], group: fields[1], md5: fields[2], tenant: fields[3]}
	if n < 3 || len(p.md5) > maxMD5 {
		return probe{}, errProbe
	}
	return p, first(api.CheckDataID(p.dataID), api.CheckGroup(p.group), api.CheckNamespace(p.key().Namespace))
}

// answerTo is what a poll is answered: the changed keys without their MD5s, as a
// whole URL-encoded.
func answerTo(changed []probe) []byte {
	var b strings.Builder
	for _, p := range changed {
		b.WriteString(url.QueryEscape(p.dataID))
		b.WriteString(escapedWordEnd)
		b.WriteString(url.QueryEscape(p.group))
		if p.tenant != "" {
			b.WriteString(escapedWordEnd)
			b.WriteString(url.QueryEscape(p.tenant))
		}
		b.WriteString(escapedLineEnd)
	}
	return []byte(b.String())
}

// oldAnswer is the same for clients of the first days.
func oldAnswer(changed []probe) string {
	var b strings.Builder
	for _, p := range changed {
		b.WriteString(p.dataID + ":" + p.group + ";")
	}
	return b.String()
}
