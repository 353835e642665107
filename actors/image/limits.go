package image

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/messages"
)

// Limits of one image (Glance's defaults, where it has any).
const (
	MaxNameChars     = 255
	MaxTags          = 128
	MaxProperties    = 128
	MaxPropertyBytes = 64 << 10 // all names and values together
	MaxMembers       = 128
	MaxMinimum       = 1<<31 - 1 // of min_disk and min_ram
)

// Formats of the container; that of the disk is checked with the content.
var containers = []string{"", "bare", "ovf", "ova", "ami", "aki", "ari", "docker", "compressed"}

func check(s State) error {
	switch {
	case tooLong(s.ProjectID):
		return fmt.Errorf("an image belongs to a project that is named by its id: %w", messages.Invalid)
	case tooLong(s.Name):
		return fmt.Errorf("the name is longer than %d characters: %w", MaxNameChars, messages.Invalid)
	case !slices.Contains([]string{Private, Public, Shared, Community}, s.Visibility):
		return fmt.Errorf("visibility %.40q is none of private, public, shared, community: %w", s.Visibility, messages.Invalid)
	case !slices.Contains(containers, s.ContainerFormat):
		return fmt.Errorf("container format %.40q is unknown: %w", s.ContainerFormat, messages.Invalid)
	case s.MinDiskGiB < 0 || s.MinDiskGiB > MaxMinimum, s.MinRAMMiB < 0 || s.MinRAMMiB > MaxMinimum:
		return fmt.Errorf("min_disk and min_ram are numbers from 0 to %d: %w", MaxMinimum, messages.Invalid)
	case len(s.Tags) > MaxTags:
		return fmt.Errorf("an image has at most %d tags: %w", MaxTags, messages.Exhausted)
	case slices.ContainsFunc(s.Tags, tooLong), slices.Contains(s.Tags, ""):
		return fmt.Errorf("a tag has 1 to %d characters: %w", MaxNameChars, messages.Invalid)
	case len(s.Members) > MaxMembers:
		return fmt.Errorf("an image has at most %d members: %w", MaxMembers, messages.Exhausted)
	}
	return checkProperties(s.Properties)
}

func checkProperties(p map[string]string) error {
	if len(p) > MaxProperties {
		return fmt.Errorf("an image has at most %d properties: %w", MaxProperties, messages.Exhausted)
	}
	size := 0
	for name, value := range p {
		if name == "" || tooLong(name) {
			return fmt.Errorf("the name of a property has 1 to %d characters: %w", MaxNameChars, messages.Invalid)
		}
		if !utf8.ValidString(value) {
			return fmt.Errorf("the value of property %.80q is not text: %w", name, messages.Invalid)
		}
		size += len(name) + len(value)
	}
	if size > MaxPropertyBytes {
		return fmt.Errorf("the properties of an image have at most %d bytes: %w", MaxPropertyBytes, messages.Exhausted)
	}
	return nil
}

// tooLong says whether s is no name: too long, or not text at all.
func tooLong(s string) bool { return utf8.RuneCountInString(s) > MaxNameChars || !utf8.ValidString(s) }
