package consul

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/hashicorp/consul/api"
)

// Limits of one Consul transaction. Consul takes 128 operations, older ones 64:
// which, is found out when the store is opened. A transaction costs Consul as much
// as thirty operations, so that twice as many are worth a look. Its other limit is
// 512 KiB of JSON with values in base64.
const (
	maxOps      = 128
	fewOps      = 64
	reservedOps = 2         // the lane and the fence
	maxBody     = 400 << 10 // bytes of JSON
	opOverhead  = 160       // bytes of JSON around a key and a value
	maxInline   = 96 << 10  // bytes of a value that stands in its entry
)

// ops is how many operations one transaction may have; payload is how many of them
// are for what is to be committed.
func (s *Store) ops() int     { return int(s.most.Load()) }
func (s *Store) payload() int { return s.ops() - reservedOps }

// measureOps finds out how many operations Consul takes.
func (s *Store) measureOps(ctx context.Context) error {
	s.most.Store(maxOps)
	ops := make(api.KVTxnOps, fewOps+1)
	for i := range ops {
		ops[i] = &api.KVTxnOp{Verb: api.KVGetOrEmpty, Key: s.root + markerKey}
	}
	_, err := s.readPatiently(ctx, ops)
	if s.tooMany(err) {
		return nil
	}
	return err
}

// tooMany says whether err is that a transaction had too many operations, and
// remembers it: the agent may be another one, and older, than when this was
// measured. The transaction was not taken.
func (s *Store) tooMany(err error) bool {
	var status api.StatusError
	if !errors.As(err, &status) || status.Code != http.StatusRequestEntityTooLarge || !strings.Contains(status.Body, "too many operations") {
		return false
	}
	s.most.Store(fewOps)
	return true
}
