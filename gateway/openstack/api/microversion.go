package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

const headerVersion = "Openstack-Api-Version"

// maxVersionDigits bounds each half of a version, as in nova's own pattern.
const maxVersionDigits = 4

// ParseVersion reads "2.37". The error wraps messages.Invalid.
func ParseVersion(s string) (Version, error) {
	major, minor, ok := strings.Cut(s, ".")
	if !ok || !number(major) || !number(minor) || major == "0" {
		return Version{}, Refuse(messages.Invalid, "API Version String '%s' is of invalid format. Must be of format MajorNum.MinorNum.", short(s))
	}
	a, _ := strconv.Atoi(major) // at most four digits
	b, _ := strconv.Atoi(minor)
	return Version{a, b}, nil
}

// number says whether s is digits without a leading zero.
func number(s string) bool {
	if s == "" || len(s) > maxVersionDigits || (len(s) > 1 && s[0] == '0') {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// short keeps what a client sent from filling an error message.
func short(s string) string {
	const limit = 64
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

func (v Version) String() string { return strconv.Itoa(v.Major) + "." + strconv.Itoa(v.Minor) }

// RequestedVersion is the text of the version that the headers ask service for:
// OpenStack-API-Version ("compute 2.90, volume 3.1"), else the header legacy if
// that is not "". The first mention wins. Empty: none.
func RequestedVersion(h http.Header, service, legacy string) string {
	for _, line := range h[headerVersion] {
		for line != "" {
			var item string
			item, line, _ = strings.Cut(line, ",")
			name, version, ok := strings.Cut(strings.TrimSpace(item), " ")
			if ok && strings.EqualFold(name, service) {
				return strings.TrimSpace(version)
			}
		}
	}
	if legacy == "" {
		return ""
	}
	return strings.TrimSpace(h.Get(legacy))
}

// Microversions is what a service says about its versions.
type Microversions struct {
	Service  string // as in OpenStack-API-Version: compute
	Legacy   string // a header with the bare number, or ""
	Min, Max Version

	echo [][]string // by minor version: the values of the response headers
	vary []string
}

// NewMicroversions makes the negotiation of service over min..max, which have
// the same major version.
func NewMicroversions(service, legacy string, min, max Version) *Microversions {
	m := &Microversions{Service: service, Legacy: http.CanonicalHeaderKey(legacy), Min: min, Max: max}
	m.vary = []string{"OpenStack-API-Version"}
	if legacy != "" {
		m.vary = append(m.vary, legacy)
	}
	for minor := range max.Minor + 1 {
		v := Version{max.Major, minor}.String()
		m.echo = append(m.echo, []string{service + " " + v, v})
	}
	return m
}

// Negotiate sets r.Version and the response headers; it is made to be a
// Dialect's Negotiate. Without a version asked for it is the minimum; "latest"
// is the maximum. Outside the range is 406, malformed 400, and then the
// response names the minimum, as nova's does.
func (m *Microversions) Negotiate(r *Request, h http.Header) error {
	v, err := m.choose(RequestedVersion(r.Header, m.Service, m.Legacy))
	r.Version = v
	// The values are shared between responses. They are never written to:
	// appending to a full slice copies it.
	e := m.echo[v.Minor]
	h[headerVersion] = e[0:1:1]
	if m.Legacy != "" {
		h[m.Legacy] = e[1:2:2]
	}
	h["Vary"] = m.vary[:len(m.vary):len(m.vary)]
	return err
}

func (m *Microversions) choose(asked string) (Version, error) {
	switch asked {
	case "":
		return m.Min, nil
	case "latest":
		return m.Max, nil
	}
	v, err := ParseVersion(asked)
	if err != nil {
		return m.Min, err
	}
	if v.Major != m.Max.Major || v.Minor < m.Min.Minor || v.Minor > m.Max.Minor {
		return m.Min, WithStatus(http.StatusNotAcceptable, Refuse(messages.Invalid, "Version %v is not supported by the API. Minimum is %v and maximum is %v.", v, m.Min, m.Max))
	}
	return v, nil
}
