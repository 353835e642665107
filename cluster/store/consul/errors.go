package consul

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/messages"
)

// fault is what a failed request to Consul means for the one who sent it.
type fault int

const (
	faultUnsent    fault = iota // it was never taken: it may be sent again as it is
	faultAmbiguous              // it may have been taken, or may still be
	faultFinal                  // it never will be
)

// noLeader are the texts with which a server refuses before it proposes
// anything (agent/consul/rpc.go: ErrNoLeader, ErrNotReadyForConsistentReads;
// agent/consul: ErrRateLimited).
var noLeader = []string{"No cluster leader", "Not ready to serve consistent reads", "rate limit"}

func classify(err error) fault {
	var status api.StatusError
	if errors.As(err, &status) {
		switch {
		case status.Code == http.StatusTooManyRequests, status.Code == http.StatusServiceUnavailable:
			return faultUnsent
		case status.Code < 500:
			return faultFinal
		}
		for _, text := range noLeader {
			if strings.Contains(status.Body, text) {
				return faultUnsent
			}
		}
		return faultAmbiguous
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return faultUnsent
	}
	if errors.Is(err, errOversize) {
		return faultFinal
	}
	return faultAmbiguous
}

// explain turns Consul's refusals into our kinds.
func explain(err error) error {
	var status api.StatusError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status) && (status.Code == http.StatusForbidden || status.Code == http.StatusUnauthorized):
		return fmt.Errorf("the Consul token may not do that: %w: %w", err, messages.Denied)
	case errors.As(err, &status) && status.Code < 500 && status.Code != http.StatusTooManyRequests:
		return fmt.Errorf("refused by Consul: %w: %w", err, messages.Internal)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer from Consul in time: %w: %w", err, messages.Unavailable)
	}
	return fmt.Errorf("the Consul servers cannot be used now (%w): %w", err, messages.Unavailable)
}
