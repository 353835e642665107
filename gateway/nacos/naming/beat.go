package naming

import (
	"strings"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// What a beat is answered with.
const (
	beatTaken   = 10200
	beatUnknown = 20404 // nobody knows the instance: it has to register again
)

// maxBeatBytes bounds the JSON of a full beat, which holds an instance's metadata.
const maxBeatBytes = maxMetadataBytes + 4096

// beatAnswer is what v1 and v2 say to a beat, wrapped by neither.
type beatAnswer struct {
	Interval  int64 `json:"clientBeatInterval"` // milliseconds to the next one
	Code      int   `json:"code"`
	LightBeat bool  `json:"lightBeatEnabled"`
}

// parseBeat reads a full beat. Fields that are not there are as of an instance that
// says nothing of them; the service that it names does not count, the parameter does.
func parseBeat(raw string) (*messages.Endpoint, error) {
	if len(raw) > maxBeatBytes {
		return nil, api.ParameterInvalid.Errorf("the beat is longer than %d bytes", maxBeatBytes)
	}
	e, s := wire.NewEndpoint(), wire.Scan([]byte(raw))
	e.Cluster = ""
	for inside := s.Object(); inside; {
		var key []byte
		if key, inside = s.Field(); !inside {
			break
		}
		switch string(key) {
		case "ip":
			e.Ip = strings.TrimSpace(s.Text())
		case "port":
			e.Port = int32(s.Int(api.MaxPort + 1))
		case "cluster":
			e.Cluster = s.Text()
		case "weight":
			e.Weight = s.Float(e.Weight)
		case "metadata":
			e.Metadata = s.TextMap()
		case "ephemeral":
			e.Persistent = !s.Bool(true)
		default:
			s.Skip()
		}
	}
	if err := s.End(); err != nil {
		return nil, api.ParameterInvalid.Errorf("Param 'beat' is illegal: %w", err)
	}
	if err := api.CheckAddress(e.Ip, int(e.Port)); err != nil {
		return nil, err
	}
	return e, nil
}

// beat keeps an instance alive. A full beat, which says all about it, registers an
// instance that nobody knows; a light one is told that it is unknown.
func (a *API) beat(r *api.Request) (api.Answer, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return api.Answer{}, err
	}
	v := r.Values()
	var full *messages.Endpoint
	var key *messages.EndpointKey
	if raw := v.Text("beat"); raw != "" {
		if full, err = parseBeat(raw); err != nil {
			return api.Answer{}, err
		}
		if full.Cluster == "" {
			full.Cluster = clusterOf(v)
		}
		key = &messages.EndpointKey{Ip: full.Ip, Port: full.Port, Cluster: full.Cluster}
		v.Fail(api.CheckCluster(key.Cluster))
	} else {
		key = keyOf(v)
	}
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	return a.renew(r, k, key, full)
}

func (a *API) renew(r *api.Request, k api.Key, key *messages.EndpointKey, full *messages.Endpoint) (api.Answer, error) {
	said, err := a.Beats.Renew(r.Context(), ref(k), key)
	if err != nil {
		return api.Answer{}, err
	}
	answer := beatAnswer{Interval: said.Interval.Milliseconds(), Code: beatTaken, LightBeat: a.Switches().LightBeat}
	switch {
	case said.Known:
	case full == nil:
		answer.Code = beatUnknown
	default:
		if err := finish(k, full); err != nil {
			return api.Answer{}, err
		}
		if err := a.add(r, k, full); err != nil {
			return api.Answer{}, err
		}
		answer.Interval = full.BeatIntervalMs
	}
	if answer.Interval == 0 {
		answer.Interval = service.BeatInterval.Milliseconds()
	}
	return api.Answer{Bare: answer}, nil
}

// registerOrBeat is v3's one route for both.
func (a *API) registerOrBeat(r *api.Request) (api.Answer, error) {
	v := r.Values()
	if beat := v.Bool(false, "heartBeat"); !beat || v.Err() != nil {
		if v.Err() != nil {
			return api.Answer{}, v.Err()
		}
		return a.register(r)
	}
	k, err := r.ServiceKey()
	key := keyOf(v)
	if err == nil {
		err = v.Err()
	}
	if err != nil {
		return api.Answer{}, err
	}
	said, err := a.Beats.Renew(r.Context(), ref(k), key)
	if err != nil {
		return api.Answer{}, err
	}
	if !said.Known {
		return api.Answer{}, api.InstanceNotFound.Errorf("no instance %s:%d of cluster %s is registered", key.Ip, key.Port, key.Cluster)
	}
	return fine, nil
}
