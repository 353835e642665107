package service

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"

	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/encode"
)

// A field added to what is stored has to be added here; tests compare with what
// encoding/json makes, and read it back.

// AppendJSON is encode.Appender's.
func (s State) AppendJSON(b []byte) ([]byte, error) {
	if s.kept == nil {
		return append(b, "{}"...), nil
	}
	k, o := s.kept, encode.Open(b)
	o.Text("ID", k.ID)
	o.Bool("Exists", k.Exists)
	o.BoolIf("Auto", k.Auto)
	o.BoolIf("Persistent", k.Persistent)
	floatIf(&o, "ProtectThreshold", k.ProtectThreshold)
	o.TextMapIf("Metadata", k.Metadata)
	if k.Selector != nil {
		o.Any("Selector", k.Selector)
	}
	if len(k.Clusters) > 0 {
		o.Any("Clusters", k.Clusters)
	}
	o.IntIf("CreatedAt", k.CreatedAt)
	o.IntIf("High", k.High)
	o.IntIf("Endpoints", int64(k.Endpoints))
	o.IntIf("Healthy", int64(k.Healthy))
	o.IntIf("ClusterCount", int64(k.ClusterCount))
	o.TextIf("Project", k.Project)
	o.TextsIf("Evicted", k.Evicted)
	if s.Graves.Next > 0 {
		encode.Value(&o, "Graves", s.Graves)
	}
	return o.Close()
}

// MarshalJSON is json.Marshaler's.
func (s State) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil) }

// stored is an entry as it is read back.
type stored struct {
	At       int64
	Slot     uint32
	Sum      uint64
	Endpoint *messages.Endpoint
	As       *messages.Endpoint // as it was registered
}

// AppendJSON is encode.Appender's.
func (r *entry) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.IntIf("At", r.at)
	o.IntIf("Slot", int64(r.slot))
	o.Uint("Sum", r.sum)
	encode.Value(&o, "Endpoint", endpointJSON{r.e})
	if r.reg != nil {
		encode.Value(&o, "As", endpointJSON{r.reg})
	}
	return o.Close()
}

// UnmarshalJSON reads what AppendJSON wrote.
func (r *entry) UnmarshalJSON(raw []byte) error {
	var s stored
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	if s.Endpoint == nil {
		s.Endpoint = &messages.Endpoint{}
	}
	*r = entry{e: s.Endpoint, reg: s.As, sum: s.Sum, at: s.At, slot: s.Slot}
	return nil
}

// AppendJSON is encode.Appender's.
func (c *chunk) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i, r := range c.entries {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = r.AppendJSON(b); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads what AppendJSON wrote.
func (c *chunk) UnmarshalJSON(raw []byte) error {
	if err := json.Unmarshal(raw, &c.entries); err != nil {
		return err
	}
	var said recent
	for _, r := range c.entries {
		r.e.Metadata = said.share(r.e.Metadata)
	}
	return nil
}

// endpointJSON writes an endpoint as encoding/json does.
type endpointJSON struct{ *messages.Endpoint }

// AppendJSON is encode.Appender's.
func (e endpointJSON) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.TextIf("ip", e.Ip)
	o.IntIf("port", int64(e.Port))
	o.TextIf("cluster", e.Cluster)
	floatIf(&o, "weight", e.Weight)
	o.BoolIf("enabled", e.Enabled)
	o.BoolIf("healthy", e.Healthy)
	o.BoolIf("persistent", e.Persistent)
	o.TextMapIf("metadata", e.Metadata)
	o.TextIf("id", e.Id)
	o.TextIf("app", e.App)
	o.TextIf("owner", e.Owner)
	o.IntIf("beat_interval_ms", e.BeatIntervalMs)
	o.IntIf("beat_timeout_ms", e.BeatTimeoutMs)
	o.IntIf("delete_timeout_ms", e.DeleteTimeoutMs)
	o.IntIf("registered_at", e.RegisteredAt)
	o.TextIf("dialect", e.Dialect)
	o.TextIf("status_override", e.StatusOverride)
	if e.Check != nil {
		o.Any("check", e.Check)
	}
	o.TextIf("document", base64.StdEncoding.EncodeToString(e.Document))
	o.TextIf("status", e.Status)
	return o.Close()
}

// floatIf writes a number that is not 0; whole ones, nearly all there are, without
// reflection.
func floatIf(o *encode.Object, name string, f float64) {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		o.IntIf(name, int64(f))
		return
	}
	o.Any(name, f)
}

// addressKey is the row of a persistent endpoint.
func addressKey(e *messages.Endpoint) string {
	return e.Cluster + "/" + e.Ip + "/" + strconv.Itoa(int(e.Port))
}

func chunkKey(n int) string { return strconv.Itoa(n) }

// AppendJSON is encode.Appender's.
func (s *server) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Uint("Seq", s.Seq)
	o.Text("Project", s.Project)
	encode.Values(&o, "Entries", s.Entries)
	return o.Close()
}
