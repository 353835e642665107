package network

import (
	"errors"
	"net/http"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// writeError answers {"NeutronError":{type,message,detail}}. What is used up is
// a conflict here, as in Neutron.
func writeError(w http.ResponseWriter, r *api.Request, status int, err error) {
	if status == http.StatusForbidden && errors.Is(err, messages.Exhausted) {
		status = http.StatusConflict
	}
	api.WriteJSON(w, status, item{"NeutronError": map[string]string{
		"type": errorType(r, status, err), "message": sentence(messages.Sentence(err)), "detail": "",
	}})
}

// errorType is the name of the exception that Neutron would have raised; some
// clients tell conflicts apart by it.
func errorType(r *api.Request, status int, err error) string {
	what := resourceOf(r.URL.Path)
	switch {
	case errors.Is(err, api.ErrNoRoute) || what == "":
		return "HTTP" + strings.ReplaceAll(http.StatusText(status), " ", "")
	case status == http.StatusNotFound && r.Method == http.MethodPost:
		return "NetworkNotFound" // on which it was to be made
	case status == http.StatusNotFound:
		return what + "NotFound"
	case status == http.StatusForbidden:
		return "PolicyNotAuthorized"
	case errors.Is(err, messages.Exhausted):
		return "IpAddressGenerationFailure"
	case status == http.StatusConflict && r.Method == http.MethodDelete:
		return what + "InUse"
	case status == http.StatusConflict:
		return "IpAddressAlreadyAllocated"
	case status == http.StatusBadRequest:
		return "InvalidInput"
	}
	return "HTTP" + strings.ReplaceAll(http.StatusText(status), " ", "")
}

// resourceOf is the kind of thing that path is about: Network, Subnet, Port.
func resourceOf(path string) string {
	rest := strings.TrimPrefix(path, Prefix+root+"/")
	name, _, _ := strings.Cut(rest, "/")
	switch name {
	case "networks":
		return "Network"
	case "subnets":
		return "Subnet"
	case "ports":
		return "Port"
	case "security-groups":
		return "SecurityGroup"
	case "security-group-rules":
		return "SecurityGroupRule"
	case "extensions":
		return "Extension"
	}
	return ""
}

// sentence begins and ends one of ours as this dialect's do.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if s[0] >= 'a' && s[0] <= 'z' {
		s = string(s[0]-'a'+'A') + s[1:]
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
