package wire

import (
	"slices"
	"strconv"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/encode"
)

// Grouped is the name of a service with its group, as HTTP has it everywhere.
func Grouped(group, name string) string { return group + service.Separator + name }

// InstanceID is what an endpoint of a service (GROUP@@name) is called, where it has
// no name of its own.
func InstanceID(grouped string, e *messages.Endpoint) string {
	if e.GetId() != "" {
		return e.GetId()
	}
	return e.GetIp() + "#" + strconv.Itoa(int(e.GetPort())) + "#" + service.Cluster(e.GetCluster()) + "#" + grouped
}

// generators are the ways of naming instances that there are.
const (
	GeneratorSimple    = "simple"
	GeneratorSnowflake = "snowflake"
)

// Host is an endpoint as clients know it: an instance of the service of that
// name, with its group.
type Host struct {
	Service  string // GROUP@@name
	Endpoint *messages.Endpoint
}

// MarshalJSON is for lists that are not worth writing by hand.
func (h Host) MarshalJSON() ([]byte, error) { return AppendHost(nil, h.Service, h.Endpoint), nil }

// AppendJSON is encode.Appender's.
func (h Host) AppendJSON(b []byte) ([]byte, error) {
	return AppendHost(b, h.Service, h.Endpoint), nil
}

// AppendHost appends an endpoint of the service (GROUP@@name) as clients know it.
func AppendHost(b []byte, grouped string, e *messages.Endpoint) []byte {
	b = append(b, `{"instanceId":`...)
	b = encode.AppendLoose(b, InstanceID(grouped, e))
	b = append(b, `,"ip":`...)
	b = encode.AppendLoose(b, e.GetIp())
	b = append(b, `,"port":`...)
	b = strconv.AppendInt(b, int64(e.GetPort()), 10)
	b = append(b, `,"weight":`...)
	b = AppendDouble(b, e.GetWeight())
	b = append(b, `,"healthy":`...)
	b = strconv.AppendBool(b, e.GetHealthy())
	b = append(b, `,"enabled":`...)
	b = strconv.AppendBool(b, e.GetEnabled())
	b = append(b, `,"ephemeral":`...)
	b = strconv.AppendBool(b, !e.GetPersistent())
	b = append(b, `,"clusterName":`...)
	b = encode.AppendLoose(b, service.Cluster(e.GetCluster()))
	b = append(b, `,"serviceName":`...)
	b = encode.AppendLoose(b, grouped)
	b = append(b, `,"metadata":`...)
	b = AppendMetadata(b, e.GetMetadata())
	b = append(b, `,"instanceHeartBeatInterval":`...)
	b = strconv.AppendInt(b, service.Interval(e).Milliseconds(), 10)
	b = append(b, `,"instanceHeartBeatTimeOut":`...)
	b = strconv.AppendInt(b, service.Timeout(e).Milliseconds(), 10)
	b = append(b, `,"ipDeleteTimeout":`...)
	b = strconv.AppendInt(b, service.Deletion(e).Milliseconds(), 10)
	b = append(b, `,"instanceIdGenerator":`...)
	b = encode.AppendLoose(b, Generator(e.GetMetadata()))
	return append(b, '}')
}

// AppendMetadata appends a map, which is never null, in the order of its keys.
func AppendMetadata(b []byte, m map[string]string) []byte {
	if len(m) == 0 {
		return append(b, `{}`...)
	}
	var few [16]string
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		if i == 0 {
			b = append(b, '{')
		} else {
			b = append(b, ',')
		}
		b = encode.AppendLoose(b, k)
		b = append(b, ':')
		b = encode.AppendLoose(b, m[k])
	}
	return append(b, '}')
}

// AppendDouble appends a number as Java writes a double: 1 is 1.0.
func AppendDouble(b []byte, f float64) []byte {
	from := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if !slices.Contains(b[from:], '.') {
		b = append(b, '.', '0')
	}
	return b
}

// Double is a number that is written as Java writes a double.
type Double float64

// MarshalJSON writes d.
func (d Double) MarshalJSON() ([]byte, error) { return AppendDouble(nil, float64(d)), nil }
