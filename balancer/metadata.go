package balancer

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Keys of a service's metadata in a registry that say how it wants to be balanced.
const (
	RuleKey    = "troupe.balancer.rule"    // a name that RuleByName knows
	RetriesKey = "troupe.balancer.retries" // on how many other servers, 0 to MaxRetries
	TimeoutKey = "troupe.balancer.timeout" // until an answer begins, e.g. 2s
)

// Limits of what a service may want.
const (
	MaxRetries = 10
	MinTimeout = time.Millisecond
	MaxTimeout = time.Hour
)

// Wishes is how a service wants to be balanced; what it does not say is zero.
type Wishes struct {
	Rule    string        // for RuleByName
	Retries int           // one more than it says
	Timeout time.Duration // until an answer begins
}

// WishesOf reads a service's metadata. What cannot be is left out, and named by the
// error, a line each.
func WishesOf(meta map[string]string) (w Wishes, err error) {
	if text := meta[RuleKey]; text != "" {
		if _, wrong := RuleByName(text); wrong == nil {
			w.Rule = text
		} else {
			err = errors.Join(err, fmt.Errorf("%s: %w", RuleKey, wrong))
		}
	}
	if text := meta[RetriesKey]; text != "" {
		if n, wrong := strconv.Atoi(text); wrong == nil && n >= 0 && n <= MaxRetries {
			w.Retries = n + 1
		} else {
			err = errors.Join(err, fmt.Errorf("%s is %.80q, not a number from 0 to %d", RetriesKey, text, MaxRetries))
		}
	}
	if text := meta[TimeoutKey]; text != "" {
		if d, wrong := time.ParseDuration(text); wrong == nil && d >= MinTimeout && d <= MaxTimeout {
			w.Timeout = d
		} else {
			err = errors.Join(err, fmt.Errorf("%s is %.80q, not a time from %v to %v such as 2s", TimeoutKey, text, MinTimeout, MaxTimeout))
		}
	}
	return w, err
}
