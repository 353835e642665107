package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

// The exit codes of every command.
const (
	ExitFailure     = 1 // the command failed
	ExitUsage       = 2 // the command line or a setting is wrong
	ExitNotFound    = 3 // what was named does not exist
	ExitDenied      = 4 // wrong credentials, or not allowed
	ExitConflict    = 5 // not possible in the present state
	ExitUnavailable = 6 // the cloud cannot be reached or is overloaded
	ExitUnsettled   = 7 // --wait: it went wrong, or took too long
)

// exitError is an error that knows its exit code.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }

func usage(err error) error     { return exitError{ExitUsage, err} }
func unsettled(err error) error { return exitError{ExitUnsettled, err} }

func notFound(what, name string) error {
	return exitError{ExitNotFound, fmt.Errorf("no %s has the name or id %q", what, name)}
}

// ExitCode is what the process should end with after err.
func ExitCode(err error) int {
	var e exitError
	var answer gophercloud.ErrUnexpectedResponseCode
	var auth gophercloud.ErrUnableToReauthenticate
	var registry *nacos.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.code
	case errors.As(err, &answer):
		return exitOfStatus(answer.Actual)
	case nacos.IsNotFound(err):
		return ExitNotFound
	case nacos.IsConflict(err):
		return ExitConflict
	case errors.As(err, &registry):
		return exitOfStatus(registry.Status)
	case errors.As(err, &auth):
		return ExitDenied
	case errors.Is(err, context.Canceled):
		return 130 // as a shell reports an interrupted command
	case isNetwork(err):
		return ExitUnavailable
	}
	return ExitFailure
}

func exitOfStatus(status int) int {
	switch {
	case status == http.StatusNotFound:
		return ExitNotFound
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return ExitDenied
	case status == http.StatusConflict:
		return ExitConflict
	case status >= 500 || status == http.StatusTooManyRequests:
		return ExitUnavailable
	}
	return ExitFailure
}

func isNetwork(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout)
}

// Explain is the text of err for a person: what the cloud said, with the status
// and the request id to look for in its log.
func Explain(err error) string {
	var answer gophercloud.ErrUnexpectedResponseCode
	if !errors.As(err, &answer) {
		return err.Error()
	}
	said := messageOf(answer.Body)
	if said == "" {
		said = http.StatusText(answer.Actual)
	}
	text := fmt.Sprintf("%s (HTTP %d", said, answer.Actual)
	if id := answer.ResponseHeader.Get("X-Openstack-Request-Id"); id != "" {
		text += ", " + id
	}
	return text + ")"
}

var tags = regexp.MustCompile(`(?s)<(title|head|style)\b.*?</(title|head|style)>|<[^>]*>`)

// messageOf finds the sentence in an error's body: the compute, identity and
// network APIs send {"kind": {"message": ...}}, the image API sends HTML.
func messageOf(body []byte) string {
	var kinds map[string]json.RawMessage
	if json.Unmarshal(body, &kinds) == nil {
		for _, raw := range kinds {
			var inner struct{ Message string }
			if json.Unmarshal(raw, &inner) == nil && inner.Message != "" {
				return inner.Message
			}
		}
		return ""
	}
	text := html.UnescapeString(tags.ReplaceAllString(string(body), " "))
	return strings.Join(strings.Fields(text), " ")
}
