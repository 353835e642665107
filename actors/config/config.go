// Package config decides what is published under one configuration key: its formal
// content, gray versions of that for some clients, labels, and the history of both.
// It tells no client anything and holds nobody's poll: whoever watches asks for the
// digest and evaluates who sees what with Sees.
package config

import (
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// State is one key. What it points to is replaced, never changed.
type State struct {
	ID             string     `json:",omitempty"` // set with the first publish
	Version        int64      `json:",omitempty"` // of the last change; about its Unix milliseconds
	ContentVersion int64      `json:",omitempty"` // counts the changes of what anybody sees
	Formal         *Published `json:",omitempty"` // nil: there is none
	Labels         Labels     // of the formal content
	Grays          []Gray     `json:",omitempty"` // highest priority first

	First, Last int64 // numbers of the history's oldest and newest change; First > Last: none is left
	Days        []Day `json:",omitempty"` // of the changes that are left

	Contents actors.Table[text] `json:"-"` // by row name: formal, gray/NAME
	History  actors.Cold        `json:"-"` // messages.ConfigChange by number

	shown *shown    // what is answered and listed; nil: not yet made
	more  time.Time // non-zero: old changes are left that one turn did not remove
}

// Published is a content, but for the content itself.
type Published struct {
	MD5        string
	Size       int64
	DataKey    string `json:",omitempty"` // encrypted data key
	ModifiedAt int64  // Unix nanoseconds
	CreatedAt  int64  `json:",omitempty"`
	CreatedBy  string `json:",omitempty"`
	From       string `json:",omitempty"` // address of who created it
	Type       string `json:",omitempty"` // of a gray version
}

// Gray is a content that some clients see.
type Gray struct {
	Rule *messages.GrayRule
	Published
}

// Labels is what is said of the formal content.
type Labels struct {
	Type        string   `json:",omitempty"`
	Tags        []string `json:",omitempty"`
	App         string   `json:",omitempty"`
	Description string   `json:",omitempty"`
	Use         string   `json:",omitempty"`
	Effect      string   `json:",omitempty"`
	Schema      string   `json:",omitempty"`
}

// Day says which change was the first of a day.
type Day struct {
	Day   int64 // since 1970, UTC
	First int64
}

// Names of the tables and of the formal content's row.
const (
	contentTable = "content"
	historyTable = "history"
	formalRow    = "formal"
)

func grayRow(name string) string { return "gray/" + name }

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{
		Name: Kind,
		Step: Step,
		Tables: func(s *State) map[string]actors.Rows {
			return map[string]actors.Rows{contentTable: &s.Contents, historyTable: &s.History}
		},
		Index:    index,
		RowIndex: historyIndex,
		Wake:     func(s State) time.Time { return s.more },
	}.Kind()
}

// text is a content as it is stored: its bytes.
type text string

// RowBytes is actors.Binary's.
func (t text) RowBytes() []byte { return []byte(t) }

// ReadRow is actors.BinaryReader's.
func (t *text) ReadRow(raw []byte) error { *t = text(raw); return nil }
