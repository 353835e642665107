package consul

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// marker is the entry that says whose data this is, in JSON.
type marker struct {
	Cluster string `json:"cluster"`
	Format  int    `json:"format"`
}

const maxMarkerBytes = 4096

func decodeMarker(name string, raw []byte) (m marker, err error) {
	if len(raw) > maxMarkerBytes {
		return m, corrupt(name, "it is too long")
	}
	if err := json.Unmarshal(raw, &m); err != nil || m.Cluster == "" || m.Format < 1 {
		return m, corrupt(name, "it names no cluster")
	}
	return m, nil
}

// checkMarker makes sure that the folder belongs to the cluster that is meant.
func (s *Store) checkMarker(ctx context.Context) error {
	name := s.root + markerKey
	own, err := json.Marshal(marker{cmp.Or(s.config.Cluster, defaultCluster), formatVersion})
	if err != nil {
		return err
	}
	pairs, err := s.readPatiently(ctx, api.KVTxnOps{{Verb: api.KVGetOrEmpty, Key: name}})
	if err != nil {
		return s.openError(err)
	}
	if absent(pairs[0]) && s.config.MustExist {
		return fmt.Errorf("there is no cluster in the Consul folder %q: %w", s.config.Prefix, messages.NotFound)
	}
	if absent(pairs[0]) {
		// Two that make it at once: the second finds the first one's.
		ops := api.KVTxnOps{{Verb: api.KVCAS, Key: name, Value: own}, {Verb: api.KVGetOrEmpty, Key: name}}
		if _, _, err := s.txn(ctx, ops); err != nil {
			return s.openError(err)
		}
		if pairs, err = s.readPatiently(ctx, ops[1:]); err != nil {
			return s.openError(err)
		}
	}
	m, err := decodeMarker(name, pairs[0].Value)
	switch {
	case err != nil:
		return err
	case s.config.Cluster != "" && m.Cluster != s.config.Cluster:
		return fmt.Errorf("the Consul folder %q holds the cluster %q, not %q: %w", s.config.Prefix, m.Cluster, s.config.Cluster, messages.Conflict)
	case m.Format != formatVersion:
		return fmt.Errorf("the Consul folder %q has format %d, this program knows %d: %w", s.config.Prefix, m.Format, formatVersion, messages.Conflict)
	}
	s.config.Cluster = m.Cluster
	return nil
}

// Cluster is the name of the cluster whose data this is.
func (s *Store) Cluster() string { return s.config.Cluster }

func (s *Store) openError(err error) error {
	var status api.StatusError
	switch {
	case errors.Is(err, errAnswer), errors.As(err, &status) && status.Code == 404:
		return fmt.Errorf("what answers at %s is not Consul (%w): %w", s.config.Address, err, messages.Invalid)
	case errors.Is(err, messages.Denied):
		return fmt.Errorf("the token needs a Consul policy with write on key_prefix %q: %w", s.root, err)
	case errors.Is(err, store.ErrCorrupt):
		return err
	}
	return fmt.Errorf("the Consul at %s: %w", s.config.Address, err)
}
