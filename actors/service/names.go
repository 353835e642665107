package service

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/messages"
)

// What can be wrong with what a caller says, for dialects that have a code for
// each. All of them are messages.Invalid. They are what the Check functions wrap; over
// the wire only the kind and the sentence remain.
var (
	ErrNamespace = fmt.Errorf("a namespace has at most %d of A-Z a-z 0-9 _ -: %w", MaxNamespaceChars, messages.Invalid)
	ErrGroup     = fmt.Errorf("a group has 1 to %d of A-Z a-z 0-9 _ . : -: %w", MaxGroupChars, messages.Invalid)
	ErrName      = fmt.Errorf("the name of a service has 1 to %d characters, no blank and no @@ among them, and begins with no @: %w", MaxNameChars, messages.Invalid)
	ErrCluster   = fmt.Errorf("a cluster has at most %d of A-Z a-z 0-9 _ -: %w", MaxClusterChars, messages.Invalid)
	ErrAddress   = fmt.Errorf("an address has 1 to %d characters without blanks: %w", MaxAddressChars, messages.Invalid)
	ErrPort      = fmt.Errorf("a port is a number from 0 to %d: %w", MaxPort, messages.Invalid)
	ErrWeight    = fmt.Errorf("a weight is a number from 0 to %d: %w", MaxWeight, messages.Invalid)
	ErrMetadata  = fmt.Errorf("metadata are text of at most %d characters in all: %w", MaxMetadataChars, messages.Invalid)
	ErrBeat      = fmt.Errorf("the interval of beats is above 0 and below both timeouts, and those are at most %v: %w", MaxTimeout, messages.Invalid)
	ErrText      = fmt.Errorf("a field of the endpoint is too long or is no text: %w", messages.Invalid)
	ErrThreshold = fmt.Errorf("a protection threshold is a number from 0 to 1: %w", messages.Invalid)
	ErrSelector  = fmt.Errorf("a selector is none, or label with CONSUMER.label.A = PROVIDER.label.A [& ...]: %w", messages.Invalid)
	ErrCheck     = fmt.Errorf("a health check is TCP, HTTP or NONE: %w", messages.Invalid)
)

// Check accepts the three parts of a service's name: ErrNamespace, ErrGroup or
// ErrName. Empty namespaces and groups stand for the defaults.
func Check(namespace, group, name string) error {
	if err := CheckNamespace(namespace); err != nil {
		return err
	}
	if err := CheckGroup(group); err != nil {
		return err
	}
	return CheckName(name)
}

// CheckNamespace accepts a namespace's id; empty is the public one.
func CheckNamespace(id string) error {
	if len(id) > MaxNamespaceChars || !made(id, "_-") {
		return ErrNamespace
	}
	return nil
}

// CheckGroup accepts a group's name; empty is the default one.
func CheckGroup(name string) error {
	if len(name) > MaxGroupChars || !made(name, "_.:-") {
		return ErrGroup
	}
	return nil
}

// CheckName accepts the bare name of a service.
func CheckName(name string) error {
	if name == "" || utf8.RuneCountInString(name) > MaxNameChars || !utf8.ValidString(name) ||
		strings.HasPrefix(name, "@") || strings.Contains(name, Separator) || strings.IndexFunc(name, strange) >= 0 {
		return ErrName
	}
	return nil
}

// CheckCluster accepts the name of one cluster; empty is the default one.
func CheckCluster(name string) error {
	if len(name) > MaxClusterChars || !made(name, "_-") {
		return ErrCluster
	}
	return nil
}

// strange is what no service's name holds: blanks, control characters, and Chinese,
// which existing clients refuse as well.
func strange(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r >= '\u4e00' && r <= '\u9fa5'
}

// made says whether s is made of letters, digits and the extra characters.
func made(s, extra string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}
