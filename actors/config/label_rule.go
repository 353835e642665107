package config

import (
	"errors"
	"strings"
)

// LabelType is the type of rules about any labels of a client. Their expressions
// compare labels with texts, as in
//
//	region == 'hz' && (env == "gray" || zone != 'b')
//
// A label that a client does not have is the empty text. Nacos names the type and
// leaves it to plugins; && and || are as in its proposal (alibaba/nacos #14685).
const LabelType = "label_expr"

// ClientIPLabel is the address of a client, among its labels.
const ClientIPLabel = "ClientIp"

// maxRuleDepth is how deep an expression may be nested.
const maxRuleDepth = 16

var errRule = errors.New("this is no comparison of labels")

// matchLabels evaluates the expression of a rule, of which all is read, so that one
// that cannot be read is none whatever the labels are.
func matchLabels(expression string, label func(string) string) (bool, error) {
	r := ruleReader{rest: expression, label: label}
	is := r.either(0)
	if r.skip(); r.rest != "" {
		r.failed = true
	}
	if r.failed {
		return false, errRule
	}
	return is, nil
}

// ruleReader reads an expression from front to back.
type ruleReader struct {
	rest   string
	label  func(string) string
	failed bool
}

func (r *ruleReader) skip() { r.rest = strings.TrimLeft(r.rest, " \t\r\n") }

// take reads a sign, if it is what comes next.
func (r *ruleReader) take(sign string) bool {
	r.skip()
	rest, is := strings.CutPrefix(r.rest, sign)
	r.rest = rest
	return is
}

// either is any number of alternatives.
func (r *ruleReader) either(depth int) bool {
	is := r.both(depth)
	for r.take("||") {
		other := r.both(depth)
		is = is || other
	}
	return is
}

// both is any number of conditions that all have to hold.
func (r *ruleReader) both(depth int) bool {
	is := r.one(depth)
	for r.take("&&") {
		other := r.one(depth)
		is = is && other
	}
	return is
}

// one is a comparison, or an expression in brackets.
func (r *ruleReader) one(depth int) bool {
	if r.failed || depth > maxRuleDepth {
		r.failed = true
		return false
	}
	if r.take("(") {
		is := r.either(depth + 1)
		r.failed = r.failed || !r.take(")")
		return is
	}
	name := r.name()
	equal := r.take("==")
	if !equal && !r.take("!=") {
		r.failed = true
		return false
	}
	return (r.label(name) == r.text()) == equal
}

// name is the name of a label: letters, digits and _ . - /
func (r *ruleReader) name() string {
	r.skip()
	end := strings.IndexFunc(r.rest, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("_.-/", c))
	})
	if end < 0 {
		end = len(r.rest)
	}
	name := r.rest[:end]
	r.rest = r.rest[end:]
	r.failed = r.failed || name == ""
	return name
}

// text is a text in quotes of either kind.
func (r *ruleReader) text() string {
	for _, quote := range []string{"'", `"`} {
		if !r.take(quote) {
			continue
		}
		text, rest, closed := strings.Cut(r.rest, quote)
		r.rest = rest
		r.failed = r.failed || !closed
		return text
	}
	r.failed = true
	return ""
}
