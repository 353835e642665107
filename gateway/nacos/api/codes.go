package api

import (
	"fmt"
	"net/http"

	"github.com/troupe-cloud/troupe/messages"
)

// Code is what v2 and v3 call an error: a number with a fixed name, and the HTTP
// status that goes with it. Make an error of it with Errorf.
type Code struct {
	Number int
	Name   string
	Status int
}

// The codes, with the names that Nacos gives them.
//
// Source: com.alibaba.nacos.api.model.v2.ErrorCode of 2.5 and 3.1.
var (
	ParameterMissing = Code{10000, "parameter missing", http.StatusBadRequest}
	AccessDenied     = Code{10001, "access denied", http.StatusForbidden}
	DataAccessError  = Code{10002, "data access error", http.StatusInternalServerError}

	TenantError       = Code{20001, "'tenant' parameter error", http.StatusBadRequest}
	ParameterInvalid  = Code{20002, "parameter validate error", http.StatusBadRequest}
	MediaTypeError    = Code{20003, "MediaType Error", http.StatusUnsupportedMediaType}
	ResourceNotFound  = Code{20004, "resource not found", http.StatusNotFound}
	ResourceConflict  = Code{20005, "resource conflict", http.StatusConflict}
	ListenerNull      = Code{20006, "config listener is null", http.StatusBadRequest}
	ListenerError     = Code{20007, "config listener error", http.StatusInternalServerError}
	InvalidDataID     = Code{20008, "invalid dataId", http.StatusBadRequest}
	ParameterMismatch = Code{20009, "parameter mismatch", http.StatusBadRequest}
	GrayTooMany       = Code{20010, "config gray version version over max count", http.StatusBadRequest}
	GrayRuleInvalid   = Code{20011, "config gray rule format invalid", http.StatusBadRequest}
	GrayVersion       = Code{20012, "config gray rule version invalid", http.StatusBadRequest}
	GrayName          = Code{20013, "config gray name not recognized", http.StatusBadRequest}

	ClusterQuota   = Code{5031, "cluster capacity reach quota", http.StatusInternalServerError}
	GroupQuota     = Code{5032, "group capacity reach quota", http.StatusInternalServerError}
	NamespaceQuota = Code{5033, "tenant capacity reach quota", http.StatusInternalServerError}
	ContentTooBig  = Code{5034, "config content size is over limit", http.StatusInternalServerError}

	ServiceNameError     = Code{21000, "service name error", http.StatusBadRequest}
	WeightError          = Code{21001, "weight error", http.StatusBadRequest}
	MetadataError        = Code{21002, "instance metadata error", http.StatusBadRequest}
	InstanceNotFound     = Code{21003, "instance not found", http.StatusNotFound}
	InstanceError        = Code{21004, "instance error", http.StatusBadRequest}
	ServiceMetadataError = Code{21005, "service metadata error", http.StatusBadRequest}
	SelectorError        = Code{21006, "selector error", http.StatusBadRequest}
	ServiceExists        = Code{21007, "service already exist", http.StatusBadRequest}
	ServiceNotFound      = Code{21008, "service not exist", http.StatusNotFound}
	ServiceNotEmpty      = Code{21009, "service delete failure", http.StatusBadRequest}
	HealthyMissing       = Code{21010, "healthy param miss", http.StatusBadRequest}
	StillChecked         = Code{21011, "health check still running", http.StatusBadRequest}

	NamespaceIllegal  = Code{22000, "illegal namespace", http.StatusBadRequest}
	NamespaceNotFound = Code{22001, "namespace not exist", http.StatusNotFound}
	NamespaceExists   = Code{22002, "namespace already exist", http.StatusBadRequest}

	IllegalState = Code{23000, "illegal state", http.StatusBadRequest}
	NodeError    = Code{23001, "node info error", http.StatusBadRequest}
	NodeDown     = Code{23002, "node down failure", http.StatusInternalServerError}

	ServerError = Code{30000, "server error", http.StatusInternalServerError}
	Busy        = Code{30000, "server error", http.StatusServiceUnavailable}
	Disabled    = Code{40001, "API function disabled.", http.StatusNotImplemented}

	ImportMetadata = Code{100002, "imported metadata is invalid", http.StatusBadRequest}
	ImportNoData   = Code{100003, "no valid data was read", http.StatusBadRequest}
	ImportParse    = Code{100004, "failed to parse data", http.StatusBadRequest}
	ImportEmpty    = Code{100005, "imported file data is empty", http.StatusBadRequest}
	NoneSelected   = Code{100006, "no configuration selected", http.StatusBadRequest}
)

// Errorf makes an error of the code with a sentence for the caller. A cause that
// is wrapped with %w keeps its kind for errors.Is.
func (c Code) Errorf(format string, args ...any) error {
	return &coded{c, fmt.Errorf(format, args...)}
}

// With gives err the code; nil stays nil.
func (c Code) With(err error) error {
	if err == nil {
		return nil
	}
	return &coded{c, err}
}

// coded is an error with a code of its own.
type coded struct {
	code Code
	err  error
}

func (e *coded) Error() string { return e.err.Error() }
func (e *coded) Unwrap() error { return e.err }

// Is says of an error whose cause has no kind that it is of its code's.
func (e *coded) Is(target error) bool { return target == kindOf(e.code.Status) }

// kindOf is the kind of message errors that a status stands for.
func kindOf(status int) error {
	switch status {
	case http.StatusNotFound:
		return messages.NotFound
	case http.StatusConflict:
		return messages.Conflict
	case http.StatusForbidden:
		return messages.Denied
	case http.StatusServiceUnavailable:
		return messages.Unavailable
	case http.StatusInternalServerError:
		return messages.Internal
	}
	return messages.Invalid
}
