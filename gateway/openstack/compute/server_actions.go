package compute

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// serverActions are what POST /servers/{id}/action can do, by the one property
// of the body.
var serverActions = map[string]func(*API, *api.Request, []byte) (api.Response, error){
	"os-start":            simply(startSchema, messages.Action_ACTION_START),
	"os-stop":             simply(stopSchema, messages.Action_ACTION_STOP),
	"reboot":              (*API).reboot,
	"forceDelete":         simply(forceDeleteSchema, messages.Action_ACTION_DELETE),
	"os-getConsoleOutput": (*API).consoleOutput,
	"evacuate":            (*API).evacuate,
}

// otherActions are in the API and not in this cloud: 501 rather than "there is
// no such action".
var otherActions = map[string]bool{
	"addFixedIp": true, "addFloatingIp": true, "addSecurityGroup": true, "changePassword": true,
	"confirmResize": true, "createBackup": true, "createImage": true, "injectNetworkInfo": true,
	"lock": true, "migrate": true, "os-getRDPConsole": true, "os-getSPICEConsole": true,
	"os-getSerialConsole": true, "os-getVNCConsole": true, "os-migrateLive": true, "os-resetState": true,
	"pause": true, "rebuild": true, "removeFixedIp": true, "removeFloatingIp": true, "removeSecurityGroup": true,
	"rescue": true, "resetNetwork": true, "resize": true, "restore": true, "resume": true, "revertResize": true,
	"shelve": true, "shelveOffload": true, "suspend": true, "trigger_crash_dump": true, "unlock": true,
	"unpause": true, "unrescue": true, "unshelve": true,
}

// actOnServer does what the one property of the body says.
func (a *API) actOnServer(r *api.Request) (api.Response, error) {
	raw, err := api.ReadJSON(r)
	if err != nil {
		return api.Response{}, err
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(raw, &body); err != nil || body == nil {
		return api.Response{}, badRequest("Malformed request body")
	}
	for name := range body {
		if do, ok := serverActions[name]; ok {
			return do(a, r, raw)
		}
	}
	for name := range body {
		if otherActions[name] {
			return api.Response{}, unsupported("The action %s is not supported.", name)
		}
	}
	if len(body) == 1 {
		for name := range body {
			return api.Response{}, badRequest("There is no such action: %s", clip(name))
		}
	}
	return api.Response{}, badRequest("Malformed request body: one action was expected")
}

// simply is an action whose body says nothing more than its name.
func simply(s *schema, action messages.Action) func(*API, *api.Request, []byte) (api.Response, error) {
	return func(a *API, r *api.Request, raw []byte) (api.Response, error) {
		if _, err := parse[any](raw, s, r.Version.Minor); err != nil {
			return api.Response{}, err
		}
		return api.Response{Status: http.StatusAccepted}, a.act(r, action)
	}
}

func (a *API) reboot(r *api.Request, raw []byte) (api.Response, error) {
	body, err := parse[struct {
		Reboot struct {
			Type string `json:"type"`
		} `json:"reboot"`
	}](raw, rebootSchema, r.Version.Minor)
	if err != nil {
		return api.Response{}, err
	}
	action := messages.Action_ACTION_REBOOT_SOFT
	if strings.EqualFold(body.Reboot.Type, "hard") {
		action = messages.Action_ACTION_REBOOT_HARD
	}
	return api.Response{Status: http.StatusAccepted}, a.act(r, action)
}

// maxConsole is how much of the end of a console log is shown, in bytes.
const maxConsole = 100 << 10

// consoleOutput shows the last lines of the serial console.
func (a *API) consoleOutput(r *api.Request, raw []byte) (api.Response, error) {
	body, err := parse[struct {
		Console struct {
			Length *flexInt `json:"length"`
		} `json:"os-getConsoleOutput"`
	}](raw, consoleSchema, r.Version.Minor)
	if err != nil {
		return api.Response{}, err
	}
	v, err := a.instance(r)
	if err != nil {
		return api.Response{}, err
	}
	if v.Host == "" {
		return api.Response{}, conflict("Instance %s is not ready", v.Id)
	}
	c, err := cluster.Ask[*messages.ConsoleView](r.Context(), a.cloud, hostRef(v.Host),
		&messages.GetConsole{InstanceId: v.Id, MaxBytes: maxConsole})
	if err != nil {
		return api.Response{}, err
	}
	lines := -1
	if body.Console.Length != nil {
		lines = int(*body.Console.Length)
	}
	return api.Response{Body: struct {
		Output string `json:"output"`
	}{tail(strings.ToValidUTF8(string(c.Output), "\uFFFD"), lines)}}, nil
}

// tail is the last n lines of text; all of it for a negative n.
func tail(text string, n int) string {
	if n < 0 {
		return text
	}
	end := len(strings.TrimSuffix(text, "\n"))
	for at := end; n > 0; n-- {
		at = strings.LastIndexByte(text[:at], '\n')
		if at < 0 {
			return text
		}
		if n == 1 {
			return text[at+1:]
		}
	}
	return ""
}

// createConsole has no console to offer yet but the log.
func (a *API) createConsole(r *api.Request) (api.Response, error) {
	if _, err := a.instance(r); err != nil {
		return api.Response{}, err
	}
	return api.Response{}, unsupported("Remote consoles are not supported. The console log is: see os-getConsoleOutput.")
}
