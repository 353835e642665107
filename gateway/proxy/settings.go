package proxy

import (
	"time"

	"github.com/troupe-cloud/troupe/balancer"
)

// What holds where a service's metadata say nothing.
const (
	defaultRetries = 2
	defaultTimeout = 30 * time.Second
)

// settings of one service; what is not set has its default.
type settings struct {
	balancer.Wishes
	wrong string // what is no setting
}

// settingsOf reads a service's metadata. What cannot be is left out, and named by
// the error.
func settingsOf(meta map[string]string) (s settings, err error) {
	if s.Wishes, err = balancer.WishesOf(meta); err != nil {
		s.wrong = err.Error()
	}
	return s, err
}

// next is balancer.Retry's.
func (s settings) next() int {
	switch s.Retries {
	case 0:
		return defaultRetries
	case 1:
		return -1
	}
	return s.Retries - 1
}

func (s settings) answerTime() time.Duration {
	if s.Timeout > 0 {
		return s.Timeout
	}
	return defaultTimeout
}

// defaultRule is what services are balanced by that say nothing: who answers fastest
// and has least to do.
func defaultRule() balancer.Rule { return &balancer.PeakEWMA{} }

func (s settings) made() balancer.Rule {
	if s.Rule != "" {
		if r, err := balancer.RuleByName(s.Rule); err == nil {
			return r
		}
	}
	return defaultRule()
}
