package config

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is NAMESPACE@@GROUP@@DATAID.
const Kind = "config"

// DefaultGroup is the group of a key for which none is said.
const DefaultGroup = "DEFAULT_GROUP"

const separator = "@@"

// ID is the identity of a key; an empty namespace is the public one, an empty group
// the default one.
func ID(ns, group, dataID string) string {
	if group == "" {
		group = DefaultGroup
	}
	return namespace.ID(ns) + separator + group + separator + dataID
}

// Ref is the grain of a key.
func Ref(ns, group, dataID string) actors.Ref {
	return actors.Ref{Kind: Kind, ID: ID(ns, group, dataID)}
}

// Parse reads an identity.
func Parse(id string) (ns, group, dataID string, ok bool) {
	ns, rest, _ := strings.Cut(id, separator)
	group, dataID, ok = strings.Cut(rest, separator)
	return ns, group, dataID, ok && ns != "" && group != "" && dataID != ""
}

// CheckKey refuses with Invalid what cannot be the name of a config. Empty namespace
// and group are as in ID.
func CheckKey(ns, group, dataID string) error {
	if err := namespace.CheckID(namespace.ID(ns)); err != nil {
		return err
	}
	if group != "" {
		if err := checkName("group", group, MaxGroupBytes); err != nil {
			return err
		}
	}
	return checkName("data id", dataID, MaxDataIDBytes)
}

// checkName takes letters, digits and _ . : - only.
func checkName(what, s string, limit int) error {
	if s == "" || len(s) > limit {
		return fmt.Errorf("the %s of a config has 1 to %d characters: %w", what, limit, messages.Invalid)
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == ':', c == '-':
		default:
			return fmt.Errorf("the %s of a config has letters, digits, _ . : and - only: %w", what, messages.Invalid)
		}
	}
	return nil
}

// Index entries. Elements of their keys are escaped by actors.Escape.
const (
	// IndexPrefix, NAMESPACE/GROUP/DATAID -> messages.ConfigEntry: keys that have a
	// formal content.
	IndexPrefix = "config/"
	// ByDataPrefix, NAMESPACE/DATAID/GROUP -> nothing: the same keys.
	ByDataPrefix = "config-data/"
	// ByTagPrefix, NAMESPACE/TAG/GROUP/DATAID -> nothing: the same keys.
	ByTagPrefix = "config-tag/"
	// ByNumberPrefix, Number -> the grain's identity: the same keys.
	ByNumberPrefix = "config-id/"
	// HistoryPrefix, NAMESPACE/GROUP/DATAID/20 digits -> messages.ConfigChange without
	// its content: newest first.
	HistoryPrefix = "confighistory/"
)

// Number is the number of a key, 1 to 2^53-1, for dialects that number configs. It
// is made of the identity alone: two of a million keys have the same one with a
// probability of 1 to 18,000.
func Number(ns, group, dataID string) int64 {
	sum := sha256.Sum256([]byte(ID(ns, group, dataID)))
	return max(1, int64(binary.BigEndian.Uint64(sum[:])>>11))
}

// NumberKey is the key of the index entry of a number.
func NumberKey(number int64) string { return ByNumberPrefix + strconv.FormatInt(number, 10) }

// EntryKey is the key of the index entry of a key.
func EntryKey(ns, group, dataID string) string { return IndexPrefix + path(ns, group, dataID) }

// HistoryKeys is what the keys of a key's history begin with.
func HistoryKeys(ns, group, dataID string) string {
	return HistoryPrefix + path(ns, group, dataID) + "/"
}

// HistoryKey is the key of the line of that number.
func HistoryKey(ns, group, dataID string, number int64) string {
	// The numbers that come out have 20 digits, all of them.
	return HistoryKeys(ns, group, dataID) + strconv.FormatUint(math.MaxUint64-uint64(number), 10)
}

func path(ns, group, dataID string) string {
	if group == "" {
		group = DefaultGroup
	}
	return actors.Escape(namespace.ID(ns)) + "/" + actors.Escape(group) + "/" + actors.Escape(dataID)
}
