package directory

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/messages"
)

// Limits of what the directory keeps.
const (
	MaxDomains            = 1_000
	MaxProjects           = 100_000
	MaxUsers              = 100_000
	MaxRoles              = 1_000
	MaxGrantsPerUser      = 1_000
	MaxCredentials        = 100_000
	MaxCredentialsPerUser = 100
	MaxRevocations        = 100_000

	MaxNameBytes        = 255
	MaxIDBytes          = 64
	MaxDescriptionBytes = 16 << 10
	MaxHashBytes        = 512
	MaxTags             = 80 // as in the identity API
	MaxExtra            = 32
	MaxExtraBytes       = 4 << 10 // of one value

	// MaxList is the longest list of one answer.
	MaxList = 1_000
	// MaxGrantList is likewise for grants, which are small.
	MaxGrantList = 10_000
)

// checkName accepts what may name something: not empty, not blank, not long.
func checkName(what, name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fmt.Errorf("the name of a %s must not be empty: %w", what, messages.Invalid)
	case len(name) > MaxNameBytes:
		return fmt.Errorf("the name of a %s is longer than %d bytes: %w", what, MaxNameBytes, messages.Invalid)
	case !utf8.ValidString(name):
		return fmt.Errorf("the name of a %s is not UTF-8: %w", what, messages.Invalid)
	}
	return nil
}

func checkID(what, id string) error {
	if id == "" || len(id) > MaxIDBytes || strings.Contains(id, "/") {
		return fmt.Errorf("the id of a %s has 1 to %d bytes and no slash: %w", what, MaxIDBytes, messages.Invalid)
	}
	return nil
}

func checkText(what, text string) error {
	if len(text) > MaxDescriptionBytes {
		return fmt.Errorf("%s is longer than %d bytes: %w", what, MaxDescriptionBytes, messages.Invalid)
	}
	return nil
}

func checkHash(hash string) error {
	if len(hash) > MaxHashBytes {
		return fmt.Errorf("the hash is longer than %d bytes: %w", MaxHashBytes, messages.Invalid)
	}
	return nil
}

func checkTags(tags []string) error {
	if len(tags) > MaxTags {
		return fmt.Errorf("a project has at most %d tags: %w", MaxTags, messages.Invalid)
	}
	for _, t := range tags {
		if t == "" || len(t) > MaxNameBytes || strings.ContainsAny(t, "/,") {
			return fmt.Errorf("a tag has 1 to %d bytes, no slash and no comma: %w", MaxNameBytes, messages.Invalid)
		}
	}
	return nil
}

func checkExtra(extra map[string]string) error {
	if len(extra) > MaxExtra {
		return fmt.Errorf("there are more than %d additional properties: %w", MaxExtra, messages.Invalid)
	}
	for k, v := range extra {
		if len(k) > MaxNameBytes || len(v) > MaxExtraBytes {
			return fmt.Errorf("an additional property has a name of at most %d and a value of at most %d bytes: %w",
				MaxNameBytes, MaxExtraBytes, messages.Invalid)
		}
	}
	return nil
}

// room refuses one more where there are already maximum.
func room(what string, n, maximum int) error {
	if n >= maximum {
		return fmt.Errorf("there are %d of at most %d %s: %w", n, maximum, what, messages.Exhausted)
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
