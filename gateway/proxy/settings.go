package proxy

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/messages"
)

// Keys of a service's metadata that say how it is balanced.
const (
	ruleKey    = "troupe.balancer.rule"    // a name that balancer.RuleByName knows
	retriesKey = "troupe.balancer.retries" // on how many other endpoints, 0 to maxRetries
	timeoutKey = "troupe.balancer.timeout" // until an answer begins, e.g. 2s
)

// Limits and defaults of settings.
const (
	maxRetries     = 10
	defaultRetries = 2
	minTimeout     = time.Millisecond
	maxTimeout     = time.Hour
	defaultTimeout = 30 * time.Second
)

// settings of one service; what is not set has its default.
type settings struct {
	rule    string
	retries int // one more than it is; 0: not set
	timeout time.Duration
	wrong   string // what is no setting
}

// settingsOf reads a service's metadata. What cannot be is left out, and named by
// the error.
func settingsOf(meta map[string]string) (s settings, err error) {
	if text := meta[ruleKey]; text != "" {
		if _, wrong := balancer.RuleByName(text); wrong == nil {
			s.rule = text
		} else {
			err = errors.Join(err, fmt.Errorf("%s: %w", ruleKey, wrong))
		}
	}
	if text := meta[retriesKey]; text != "" {
		if n, wrong := strconv.Atoi(text); wrong == nil && n >= 0 && n <= maxRetries {
			s.retries = n + 1
		} else {
			err = errors.Join(err, fmt.Errorf("%s is %.80q, not a number from 0 to %d: %w", retriesKey, text, maxRetries, messages.Invalid))
		}
	}
	if text := meta[timeoutKey]; text != "" {
		if d, wrong := time.ParseDuration(text); wrong == nil && d >= minTimeout && d <= maxTimeout {
			s.timeout = d
		} else {
			err = errors.Join(err, fmt.Errorf("%s is %.80q, not a time from %v to %v such as 2s: %w", timeoutKey, text, minTimeout, maxTimeout, messages.Invalid))
		}
	}
	if err != nil {
		s.wrong = err.Error()
	}
	return s, err
}

// next is balancer.Retry's.
func (s settings) next() int {
	switch s.retries {
	case 0:
		return defaultRetries
	case 1:
		return -1
	}
	return s.retries - 1
}

func (s settings) answerTime() time.Duration {
	if s.timeout > 0 {
		return s.timeout
	}
	return defaultTimeout
}

// defaultRule is what services are balanced by that say nothing: who answers fastest
// and has least to do.
func defaultRule() balancer.Rule { return &balancer.PeakEWMA{} }

func (s settings) made() balancer.Rule {
	if s.rule != "" {
		if r, err := balancer.RuleByName(s.rule); err == nil {
			return r
		}
	}
	return defaultRule()
}
