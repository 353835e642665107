package compute

import (
	"crypto/rand"
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// evacuateSchema: whether the storage is shared was asked until 2.13, and is found
// out since; force came with 2.29 and went with 2.68.
var evacuateSchema = versioned("evacuate", func(minor int) object {
	f := object{"host": fqdnType, "adminPass": stringType}
	var required []string
	switch {
	case minor < 14:
		f["onSharedStorage"] = booleanType
		required = []string{"onSharedStorage"}
	case minor >= 29 && minor < 68:
		f["force"] = booleanType
	}
	return wrapped("evacuate", fields(f, required...))
}, 14, 29, 68)

type evacuateBody struct {
	Evacuate struct {
		Host      string   `json:"host"`
		Shared    flexBool `json:"onSharedStorage"`
		AdminPass *string  `json:"adminPass"`
		Force     flexBool `json:"force"`
	} `json:"evacuate"`
}

// evacuate has a server built on another host because its own is down. It answers
// 200, though it is only begun, as the API always has. The host asked for is tried
// and no other; whether it has room it says itself, so force changes nothing.
func (a *API) evacuate(r *api.Request, raw []byte) (api.Response, error) {
	body, err := parse[evacuateBody](raw, evacuateSchema, r.Version.Minor)
	if err != nil {
		return api.Response{}, err
	}
	if !r.Principal.Admin() {
		return api.Response{}, forbidden("Policy doesn't allow os_compute_api:os-evacuate to be performed.")
	}
	v, err := a.instance(r)
	if err != nil {
		return api.Response{}, err
	}
	asked := body.Evacuate
	if asked.Host == "" && bool(asked.Force) {
		return api.Response{}, badRequest("Can't force to a non-provided destination")
	}
	old := bool(asked.Shared) && !r.Version.AtLeast(14)
	if old && asked.AdminPass != nil {
		return api.Response{}, badRequest("admin password can't be changed on existing disk")
	}
	if err := a.mayEvacuate(r, v, asked.Host, body); err != nil {
		return api.Response{}, err
	}
	var password string
	switch {
	case asked.AdminPass != nil:
		password = *asked.AdminPass
	case !old:
		password = rand.Text()[:passwordLength]
	}
	_, err = a.cloud.Ask(r.Context(), instanceRef(v.Id), &messages.EvacuateInstance{
		Scope: r.Principal.Scope(), UserId: r.Principal.UserID, ProjectId: r.Principal.ProjectID, RequestId: r.ID,
		Host: asked.Host, AdminPassword: password, Stopped: r.Version.AtLeast(95),
	})
	if err != nil || r.Version.AtLeast(14) {
		return api.Response{Status: http.StatusOK}, err
	}
	return api.Response{Body: struct {
		AdminPass any `json:"adminPass"`
	}{orNull(password)}}, nil
}

// passwordLength is that of passwords which nobody gave, in characters.
const passwordLength = 12

// mayEvacuate refuses what is wrong about the hosts. What is wrong about the server
// it says itself.
func (a *API) mayEvacuate(r *api.Request, v *messages.InstanceView, target string, body evacuateBody) error {
	if target != "" {
		_, err := a.findHost(r.Context(), func(h *messages.HostView) bool { return h.Name == target })
		if err != nil {
			return absentAs(err, "Compute host %s not found.", clip(target))
		}
		if target == v.Host {
			return badRequest("The target host can't be the same one.")
		}
	}
	switch v.VmState {
	case messages.VMState_VM_STATE_ACTIVE, messages.VMState_VM_STATE_STOPPED, messages.VMState_VM_STATE_ERROR:
	default:
		return nil
	}
	if v.Host == "" || v.TaskState == messages.TaskState_TASK_STATE_REBUILDING {
		return nil
	}
	a.hosts.forget(v.Host) // an answer of a second ago is too old to decide by
	h := a.freshHost(r.Context(), &messages.HostView{Name: v.Host})
	if isUp(h) {
		return badRequest("Compute service of %s is still in use.", v.Host)
	}
	shared := h.GetInventory().GetStorage() != ""
	if !r.Version.AtLeast(14) && bool(body.Evacuate.Shared) != shared && h.Inventory != nil {
		if shared {
			return badRequest("%s is on shared storage: Invalid state of instance files on shared storage", v.Host)
		}
		return badRequest("%s is not on shared storage: Invalid state of instance files on shared storage", v.Host)
	}
	return nil
}
