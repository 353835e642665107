package service

import (
	"fmt"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// Types of selectors.
const (
	SelectorNone  = "none"
	SelectorLabel = "label"
)

// Labels is a parsed label selector: the labels in which a provider has to be
// like its consumer. Empty: everybody is chosen.
type Labels []string

const (
	consumerLabel = "CONSUMER.label."
	providerLabel = "PROVIDER.label."
)

// ParseSelector reads a selector: ErrSelector. None, nil and an empty type choose
// everybody.
func ParseSelector(s *messages.Selector) (Labels, error) {
	switch s.GetType() {
	case "", SelectorNone:
		return nil, nil
	case SelectorLabel:
		return parseLabels(s.GetExpression())
	}
	return nil, fmt.Errorf("no selector has the type %q: %w", s.GetType(), ErrSelector)
}

func parseLabels(expression string) (Labels, error) {
	if !text(expression, MaxSelectorChars) {
		return nil, fmt.Errorf("an expression is text of at most %d characters: %w", MaxSelectorChars, ErrSelector)
	}
	if strings.TrimSpace(expression) == "" {
		return nil, nil
	}
	terms := strings.Split(expression, "&")
	if len(terms) > MaxSelectorLabels {
		return nil, fmt.Errorf("an expression has at most %d labels: %w", MaxSelectorLabels, ErrSelector)
	}
	labels := make(Labels, 0, len(terms))
	for _, term := range terms {
		label, ok := parseTerm(term)
		if !ok {
			return nil, fmt.Errorf("cannot read %q: %w", strings.TrimSpace(term), ErrSelector)
		}
		labels = append(labels, label)
	}
	return labels, nil
}

// parseTerm reads "CONSUMER.label.A = PROVIDER.label.A", whichever side is first.
func parseTerm(term string) (label string, ok bool) {
	left, right, ok := strings.Cut(term, "=")
	left, right = strings.TrimSpace(left), strings.TrimSpace(right)
	if strings.HasPrefix(left, providerLabel) {
		left, right = right, left
	}
	a, isConsumer := strings.CutPrefix(left, consumerLabel)
	b, isProvider := strings.CutPrefix(right, providerLabel)
	return a, ok && isConsumer && isProvider && a == b && a != "" && strings.IndexFunc(a, strange) < 0 && !strings.Contains(a, "=")
}

// String is the expression that Labels was parsed from, in its usual form.
func (l Labels) String() string {
	terms := make([]string, len(l))
	for i, label := range l {
		terms[i] = consumerLabel + label + " = " + providerLabel + label
	}
	return strings.Join(terms, " & ")
}

// match says whether a provider is like the consumer. A label that the consumer
// does not have excludes nobody.
func (l Labels) match(consumer, provider map[string]string) bool {
	for _, label := range l {
		if want := consumer[label]; want != "" && provider[label] != want {
			return false
		}
	}
	return true
}
