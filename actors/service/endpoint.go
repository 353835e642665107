package service

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/messages"
)

// CheckEndpoint accepts what may be registered: one of ErrAddress, ErrPort,
// ErrCluster, ErrWeight, ErrMetadata, ErrBeat and ErrText.
func CheckEndpoint(e *messages.Endpoint) error {
	switch {
	case !address(e.GetIp()):
		return ErrAddress
	case e.Port < 0 || e.Port > MaxPort:
		return ErrPort
	case !(e.Weight >= 0 && e.Weight <= MaxWeight): // no number is neither
		return ErrWeight
	case !text(e.Id, MaxEndpointIDChars) || !text(e.App, MaxAppChars) || !text(e.Owner, MaxOwnerChars) ||
		!text(e.Dialect, MaxAppChars) || !text(e.StatusOverride, MaxOverrideChars) ||
		!text(e.Status, MaxStatusChars) || len(e.Document) > MaxDocumentBytes:
		return ErrText
	}
	if err := CheckCluster(e.Cluster); err != nil {
		return err
	}
	if err := CheckHealthCheck(e.Check); err != nil {
		return err
	}
	if err := CheckMetadata(e.Metadata); err != nil {
		return err
	}
	return checkBeat(e)
}

// CheckMetadata accepts the metadata of an endpoint: ErrMetadata.
func CheckMetadata(m map[string]string) error { return checkTexts(m, MaxMetadataChars) }

func checkTexts(m map[string]string, limit int) error {
	n := 0
	for k, v := range m {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return ErrMetadata
		}
		n += utf8.RuneCountInString(k) + utf8.RuneCountInString(v)
	}
	if n > limit {
		return ErrMetadata
	}
	return nil
}

func checkBeat(e *messages.Endpoint) error {
	if e.BeatIntervalMs < 0 || e.BeatTimeoutMs < 0 || e.DeleteTimeoutMs < 0 ||
		e.BeatTimeoutMs > MaxTimeout.Milliseconds() || e.DeleteTimeoutMs > MaxTimeout.Milliseconds() {
		return ErrBeat
	}
	if i := Interval(e); i >= Timeout(e) || i >= Deletion(e) {
		return ErrBeat
	}
	return nil
}

// Interval is how often e should beat.
func Interval(e *messages.Endpoint) time.Duration { return orTime(e.BeatIntervalMs, BeatInterval) }

// Timeout is how long after its last beat e becomes unhealthy.
func Timeout(e *messages.Endpoint) time.Duration { return orTime(e.BeatTimeoutMs, BeatTimeout) }

// Deletion is how long after its last beat e is removed.
func Deletion(e *messages.Endpoint) time.Duration { return orTime(e.DeleteTimeoutMs, DeleteTimeout) }

func orTime(ms int64, otherwise time.Duration) time.Duration {
	if ms == 0 {
		return otherwise
	}
	return time.Duration(ms) * time.Millisecond
}

func address(s string) bool {
	return s != "" && text(s, MaxAddressChars) && strings.IndexFunc(s, unicode.IsSpace) < 0
}

func text(s string, limit int) bool {
	return len(s) <= limit*utf8.UTFMax && utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit
}
