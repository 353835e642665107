package wire

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// Keys of metadata that mean something to the registry; times are milliseconds in
// decimal.
const (
	KeyBeatInterval  = "preserved.heart.beat.interval"
	KeyBeatTimeout   = "preserved.heart.beat.timeout"
	KeyDeleteTimeout = "preserved.ip.delete.timeout"
	KeyGenerator     = "preserved.instance.id.generator"
)

// Generator is how an instance with these metadata is named.
func Generator(metadata map[string]string) string {
	if g := metadata[KeyGenerator]; g != "" {
		return g
	}
	return GeneratorSimple
}

// Finish fills in what the metadata of e, which is about to be registered at the
// service (GROUP@@name), say about it: its times, and its name if that is no simple
// one. What is no number says nothing. Invalid (service.ErrBeat) if e would not
// beat more often than it times out.
func Finish(grouped string, e *messages.Endpoint) error {
	e.BeatIntervalMs = millis(e.Metadata, KeyBeatInterval)
	e.BeatTimeoutMs = millis(e.Metadata, KeyBeatTimeout)
	e.DeleteTimeoutMs = millis(e.Metadata, KeyDeleteTimeout)
	if Generator(e.Metadata) == GeneratorSnowflake {
		e.Id = strconv.FormatInt(rand.Int64(), 10) + "#" + service.Cluster(e.Cluster) + "#" + grouped
	}
	if i := service.Interval(e); i >= service.Timeout(e) || i >= service.Deletion(e) {
		return service.ErrBeat
	}
	return nil
}

// millis is a time in the metadata, 0 if there is none.
func millis(metadata map[string]string, key string) int64 {
	n, err := strconv.ParseInt(metadata[key], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// SplitClusters are the clusters of a list that has commas between them.
func SplitClusters(list string) []string {
	var all []string
	for c := range strings.SplitSeq(list, ",") {
		if c = strings.TrimSpace(c); c != "" {
			all = append(all, c)
		}
	}
	return all
}
