package naming

import (
	"errors"
	"slices"
	"strconv"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	// maxBatch is how many instances a batch may name; none named means all.
	maxBatch = service.MaxEndpointsPerMessage
	// maxBatchBytes bounds their JSON.
	maxBatchBytes = maxBatch * 256

	persist = "persist" // the consistency type of persistent instances
	other   = "ephemeral"
)

// target is where an endpoint is: ip:port.
func target(e interface {
	GetIp() string
	GetPort() int32
}) string {
	return e.GetIp() + ":" + strconv.Itoa(int(e.GetPort()))
}

// parseInstances reads a list of instances, of which only the names count. Nil for
// nothing.
func parseInstances(raw string) ([]*messages.EndpointKey, error) {
	if len(raw) > maxBatchBytes {
		return nil, api.ParameterInvalid.Errorf("Param 'instances' is longer than %d bytes", maxBatchBytes)
	}
	if raw == "" {
		return nil, nil
	}
	var keys []*messages.EndpointKey
	s := wire.Scan([]byte(raw))
	if s.Array() {
		for s.More() {
			e := s.Instance()
			if e == nil {
				continue
			}
			if len(keys) == maxBatch {
				return nil, api.ParameterInvalid.Errorf("there are more than %d instances", maxBatch)
			}
			if err := errors.Join(api.CheckAddress(e.Ip, int(e.Port)), api.CheckCluster(e.Cluster)); err != nil && s.Err() == nil {
				return nil, err
			}
			keys = append(keys, &messages.EndpointKey{Ip: e.Ip, Port: e.Port, Cluster: e.Cluster})
		}
	}
	if err := s.End(); err != nil {
		return nil, api.ParameterInvalid.Errorf("Param 'instances' is illegal: %w", err)
	}
	return keys, nil
}

// batch changes the metadata of many instances: what is given is set, or removed.
func (a *API) batch(r *api.Request, change func(*messages.UpdateEndpoints, map[string]string)) (any, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return nil, err
	}
	v := r.Values()
	v.Need("metadata")
	m, kind := &messages.UpdateEndpoints{}, v.Text("consistencyType")
	m.PersistentOnly, m.EphemeralOnly = kind == persist, kind == other
	change(m, metadata(v, api.MetadataError))
	m.Keys, err = parseInstances(v.Text("instances"))
	v.Fail(err)
	if err := v.Err(); err != nil {
		return nil, err
	}
	if len(m.SetMetadata)+len(m.RemoveMetadata) == 0 {
		return updatedList{Updated: []string{}}, nil
	}
	wire.FinishUpdate(m)
	return a.batched(r, k, m)
}

// updatedList is what a batch is answered with.
type updatedList struct {
	Updated []string `json:"updated"`
}

func (a *API) batched(r *api.Request, k api.Key, m *messages.UpdateEndpoints) (any, error) {
	got, err := cluster.Ask[*messages.EndpointsUpdated](r.Context(), a.Cloud, ref(k), m)
	if errors.Is(err, messages.NotFound) {
		return updatedList{Updated: []string{}}, nil // as Nacos: nothing was there to change
	}
	if err != nil {
		return nil, as(err, messages.Invalid, api.MetadataError)
	}
	s, err := a.service(r, k)
	if err != nil {
		return nil, err
	}
	kind := other
	if s.GetPersistent() {
		kind = persist
	}
	list := updatedList{Updated: make([]string, 0, len(got.GetKeys()))}
	for _, key := range got.GetKeys() {
		// "unknown" is the site, which nobody has said since the first Nacos.
		list.Updated = append(list.Updated, target(key)+":unknown:"+service.Cluster(key.GetCluster())+":"+kind)
	}
	slices.Sort(list.Updated)
	return list, nil
}

func setMetadata(m *messages.UpdateEndpoints, given map[string]string) { m.SetMetadata = given }

func removeMetadata(m *messages.UpdateEndpoints, given map[string]string) {
	for key := range given {
		m.RemoveMetadata = append(m.RemoveMetadata, key)
	}
	slices.Sort(m.RemoveMetadata)
}

func (a *API) batchSet(r *api.Request) (api.Answer, error) {
	list, err := a.batch(r, setMetadata)
	return api.Answer{Data: list}, err
}

func (a *API) batchRemove(r *api.Request) (api.Answer, error) {
	list, err := a.batch(r, removeMetadata)
	return api.Answer{Data: list}, err
}
