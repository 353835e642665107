package wire

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// Metadata of an instance that mean something to the registry; times are decimal
// milliseconds.
const (
	MetaBeatInterval  = "preserved.heart.beat.interval"
	MetaBeatTimeout   = "preserved.heart.beat.timeout"
	MetaDeleteTimeout = "preserved.ip.delete.timeout"
	MetaIDGenerator   = "preserved.instance.id.generator"
)

// Dialect is what messages.Endpoint says about who registered it.
const Dialect = "nacos"

// Generators of instance ids.
const (
	SimpleID    = "simple" // where metadata name no other
	SnowflakeID = "snowflake"
)

// GroupedName is how a service is called in one word: GROUP@@name.
func GroupedName(group, name string) string { return group + service.Separator + name }

// InstanceID is the id of an endpoint: its own, or ip#port#cluster#GROUP@@name.
func InstanceID(grouped string, e *messages.Endpoint) string {
	if e.GetId() != "" {
		return e.GetId()
	}
	return string(appendID(nil, grouped, e))
}

func appendID(b []byte, grouped string, e *messages.Endpoint) []byte {
	b = append(append(b, e.GetIp()...), '#')
	b = append(strconv.AppendInt(b, int64(e.GetPort()), 10), '#')
	b = append(append(b, service.Cluster(e.GetCluster())...), '#')
	return append(b, grouped...)
}

// AppendInstance appends an endpoint as one of the hosts of the service GROUP@@name.
func AppendInstance(b []byte, grouped string, e *messages.Endpoint) []byte {
	b = append(b, `{"instanceId":`...)
	if e.Id != "" {
		b = AppendText(b, e.Id)
	} else {
		var room [256]byte
		b = AppendText(b, string(appendID(room[:0], grouped, e)))
	}
	b = AppendText(append(b, `,"ip":`...), e.Ip)
	b = strconv.AppendInt(append(b, `,"port":`...), int64(e.Port), 10)
	b = AppendFloat(append(b, `,"weight":`...), e.Weight)
	b = strconv.AppendBool(append(b, `,"healthy":`...), e.Healthy)
	b = strconv.AppendBool(append(b, `,"enabled":`...), e.Enabled)
	b = strconv.AppendBool(append(b, `,"ephemeral":`...), !e.Persistent)
	b = AppendText(append(b, `,"clusterName":`...), service.Cluster(e.Cluster))
	b = AppendText(append(b, `,"serviceName":`...), grouped)
	b = AppendTextMap(append(b, `,"metadata":`...), e.Metadata)
	b = strconv.AppendInt(append(b, `,"instanceHeartBeatInterval":`...), service.Interval(e).Milliseconds(), 10)
	b = strconv.AppendInt(append(b, `,"instanceHeartBeatTimeOut":`...), service.Timeout(e).Milliseconds(), 10)
	b = strconv.AppendInt(append(b, `,"ipDeleteTimeout":`...), service.Deletion(e).Milliseconds(), 10)
	b = AppendText(append(b, `,"instanceIdGenerator":`...), idGenerator(e.Metadata))
	return append(b, '}')
}

func idGenerator(metadata map[string]string) string {
	if g := metadata[MetaIDGenerator]; g != "" {
		return g
	}
	return SimpleID
}

// Finish fills in what the metadata of an endpoint that is about to be registered
// at the service GROUP@@name say about it: how it is kept alive, and its id if that
// is no simple one. What is no number counts as not said, as Nacos has it; bounds
// are checked by service.CheckEndpoint.
func Finish(grouped string, e *messages.Endpoint) {
	if len(e.Metadata) == 0 {
		return
	}
	e.BeatIntervalMs = milliseconds(e.Metadata[MetaBeatInterval])
	e.BeatTimeoutMs = milliseconds(e.Metadata[MetaBeatTimeout])
	e.DeleteTimeoutMs = milliseconds(e.Metadata[MetaDeleteTimeout])
	if idGenerator(e.Metadata) == SnowflakeID {
		e.Id = strconv.FormatInt(rand.Int64(), 10) + "#" + service.Cluster(e.Cluster) + "#" + grouped
	}
}

// FinishUpdate fills in what an update of metadata changes of how endpoints are kept
// alive.
func FinishUpdate(m *messages.UpdateEndpoints) {
	for _, t := range []struct {
		name string
		ms   **int64
	}{{MetaBeatInterval, &m.BeatIntervalMs}, {MetaBeatTimeout, &m.BeatTimeoutMs}, {MetaDeleteTimeout, &m.DeleteTimeoutMs}} {
		value, set := m.SetMetadata[t.name]
		if set || m.ReplaceMetadata || slices.Contains(m.RemoveMetadata, t.name) {
			ms := milliseconds(value)
			*t.ms = &ms
		}
	}
}

func milliseconds(s string) int64 {
	if s == "" {
		return 0 // not said, by nearly all
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
