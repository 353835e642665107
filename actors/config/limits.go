package config

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of one key. Those of names and contents are Nacos'; texts for people count
// characters, the others bytes.
const (
	MaxGroupBytes       = 128
	MaxDataIDBytes      = 256
	MaxContentBytes     = 10 << 20
	MaxAppBytes         = 128
	MaxTags             = 5
	MaxTagRunes         = 64
	MaxTagKeyBytes      = 540 // of a tag as it stands in the key of an index entry: escaped
	MaxTypeBytes        = 32
	MaxDescriptionRunes = 128
	MaxUseRunes         = 32
	MaxEffectRunes      = 32
	MaxSchemaRunes      = 32_768
	MaxDataKeyBytes     = 1_024 // encrypted_data_key
	MaxUserBytes        = 255
	MaxIPBytes          = 128
	MaxReasonBytes      = 64 // PublishConfig.operation

	// MaxDetailBytes is how much content the answer to GetConfigDetail holds: a message
	// between nodes must not be larger than 16 MiB.
	MaxDetailBytes = 14 << 20

	MaxGrays            = 10 // gray versions of a key
	MaxGrayNameBytes    = 128
	MaxGrayTagBytes     = 16     // of a tag's gray version
	MaxGrayRuleBytes    = 16_384 // expression: beta addresses, ...
	MaxGrayTypeBytes    = 32
	MaxRuleVersionBytes = 32

	// HistoryKept is how long a change stands in the history: whatever was replaced
	// or removed within this time can be had back.
	HistoryKept = 30 * 24 * time.Hour
	// MaxHistory is how many changes a key keeps, however short the time.
	MaxHistory = 100_000
	// MaxRemoved is how many old changes one turn removes at most; more turns follow.
	MaxRemoved = 100
)

// Types of contents that a key may say it has.
var types = map[string]bool{
	"properties": true, "xml": true, "json": true, "text": true, "html": true, "yaml": true, "toml": true, "unset": true,
}

// DefaultType is the type of a content of which none is said, or an unknown one.
const DefaultType = "text"

// TypeOf is the type that s means.
func TypeOf(s string) string {
	if s = strings.ToLower(strings.TrimSpace(s)); types[s] {
		return s
	}
	return DefaultType
}

// CheckContent refuses with Invalid what cannot be a content.
func CheckContent(content string) error {
	switch {
	case len(content) > MaxContentBytes:
		return fmt.Errorf("the content of a config has at most %d bytes, not %d: %w", MaxContentBytes, len(content), messages.Invalid)
	case strings.TrimSpace(content) == "":
		return fmt.Errorf("the content of a config is not blank: %w", messages.Invalid)
	case !utf8.ValidString(content):
		return fmt.Errorf("the content of a config is UTF-8: %w", messages.Invalid)
	}
	return nil
}

// CheckLabels refuses with Invalid what cannot be said of a config; nil is right.
func CheckLabels(l *messages.ConfigLabels) error {
	if len(l.GetTags()) > MaxTags {
		return fmt.Errorf("a config has at most %d tags: %w", MaxTags, messages.Invalid)
	}
	for _, tag := range l.GetTags() {
		if tag == "" || strings.ContainsAny(tag, ",\r\n") {
			return fmt.Errorf("a tag of a config is not empty and has no comma: %w", messages.Invalid)
		}
		if err := checkRunes("a tag", tag, MaxTagRunes); err != nil {
			return err
		}
		if len(actors.Escape(tag)) > MaxTagKeyBytes {
			return fmt.Errorf("a tag of a config has %d bytes when it is escaped: %w", MaxTagKeyBytes, messages.Invalid)
		}
	}
	if app := l.GetApp(); app != "" {
		if err := checkName("app", app, MaxAppBytes); err != nil {
			return err
		}
	}
	return first(checkRunes("the description", l.GetDescription(), MaxDescriptionRunes),
		checkRunes("the use", l.GetUse(), MaxUseRunes), checkRunes("the effect", l.GetEffect(), MaxEffectRunes),
		checkRunes("the schema", l.GetSchema(), MaxSchemaRunes), checkBytes("the type", l.GetType(), MaxTypeBytes))
}

// checkOrigin looks at what is said of who makes a change and why.
func checkOrigin(user, ip, reason, dataKey string) error {
	return first(checkBytes("the user", user, MaxUserBytes), checkBytes("the address", ip, MaxIPBytes),
		checkBytes("the operation", reason, MaxReasonBytes), checkBytes("the encrypted data key", dataKey, MaxDataKeyBytes))
}

func checkRunes(what, s string, limit int) error {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > limit {
		return fmt.Errorf("%s of a config has at most %d characters of UTF-8: %w", what, limit, messages.Invalid)
	}
	return nil
}

func checkBytes(what, s string, limit int) error {
	if !utf8.ValidString(s) || len(s) > limit {
		return fmt.Errorf("%s of a config has at most %d bytes of UTF-8: %w", what, limit, messages.Invalid)
	}
	return nil
}

// first is the first of errs that is one: checks read as a list.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
