package compute

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/actors"
	kind "github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

var createFlavorSchema = versioned("create-flavor", func(minor int) object {
	f := object{
		"name": nameType,
		"id": object{"type": list("string", "number", "null"), "minLength": 1, "maxLength": maxName,
			"pattern": "^[a-zA-Z0-9._-]([a-zA-Z0-9. _-]*[a-zA-Z0-9._-])?$"},
		"ram": flavorSize, "vcpus": flavorSize, "disk": flavorSizeOr0, "swap": flavorSizeOr0,
		"OS-FLV-EXT-DATA:ephemeral":  flavorSizeOr0,
		"rxtx_factor":                object{"type": list("number", "string"), "pattern": `^[0-9]+(\.[0-9]+)?$`, "format": "factor"},
		"os-flavor-access:is_public": booleanType,
	}
	if minor >= 55 {
		f["description"] = flavorText
	}
	return wrapped("flavor", fields(f, "name", "ram", "vcpus", "disk"))
}, 55)

var updateFlavorSchema = constant("update-flavor",
	wrapped("flavor", fields(object{"description": flavorText}, "description")))

type createFlavorBody struct {
	Flavor struct {
		Name        string     `json:"name"`
		ID          flexString `json:"id"`
		RAM         flexInt    `json:"ram"`
		VCPUs       flexInt    `json:"vcpus"`
		Disk        flexInt    `json:"disk"`
		Swap        flexInt    `json:"swap"`
		Ephemeral   flexInt    `json:"OS-FLV-EXT-DATA:ephemeral"`
		RXTXFactor  *flexFloat `json:"rxtx_factor"`
		Public      *flexBool  `json:"os-flavor-access:is_public"`
		Description string     `json:"description"`
	} `json:"flavor"`
}

func (b createFlavorBody) flavor() *messages.Flavor {
	f := &b.Flavor
	m := &messages.Flavor{
		Id: string(f.ID), Name: strings.TrimSpace(f.Name), Vcpus: int32(f.VCPUs), RamMib: int64(f.RAM),
		DiskGib: int64(f.Disk), SwapMib: int64(f.Swap), EphemeralGib: int64(f.Ephemeral),
		RxtxFactor: 1, Public: f.Public == nil || bool(*f.Public), Description: f.Description,
	}
	if m.Id == "" || m.Id == "auto" {
		m.Id = uuid.NewString()
	}
	if f.RXTXFactor != nil {
		m.RxtxFactor = float64(*f.RXTXFactor)
	}
	return m
}

func flavorRef(id string) actors.Ref { return actors.Ref{Kind: kind.Kind, ID: id} }

// askFlavor is the flavor with that id, if the caller may see it.
func (a *API) askFlavor(r *api.Request, id string) (*messages.Flavor, error) {
	return cluster.Ask[*messages.Flavor](r.Context(), a.cloud, flavorRef(id), &messages.GetFlavor{Scope: r.Principal.Scope()})
}

// createFlavor makes sure of the name in the index: two administrators who
// create the same name in the same moment may both succeed.
func (a *API) createFlavor(r *api.Request) (api.Response, error) {
	body, err := decode[createFlavorBody](r, createFlavorSchema)
	if err != nil {
		return api.Response{}, err
	}
	f := body.flavor()
	if err := a.each(r.Context(), kind.IndexPrefix, func(e actors.Entry) (bool, error) {
		other, err := read(e, &messages.Flavor{})
		if err == nil && other.Name == f.Name && other.Id != f.Id {
			err = conflict("Flavor with name %s already exists.", clip(f.Name))
		}
		return true, err
	}); err != nil {
		return api.Response{}, err
	}
	return a.changeFlavor(r, f.Id, &messages.CreateFlavor{Flavor: f})
}

// changeFlavor gives a command to a flavor and shows what it is then.
func (a *API) changeFlavor(r *api.Request, id string, m actors.Message) (api.Response, error) {
	f, err := cluster.Ask[*messages.Flavor](r.Context(), a.cloud, flavorRef(id), m)
	if err != nil {
		return api.Response{}, err
	}
	return oneFlavor(r, f), nil
}

func (a *API) showFlavor(r *api.Request) (api.Response, error) {
	f, err := a.askFlavor(r, r.PathValue("id"))
	if err != nil {
		return api.Response{}, err
	}
	return oneFlavor(r, f), nil
}

func (a *API) updateFlavor(r *api.Request) (api.Response, error) {
	if !r.Version.AtLeast(55) {
		return api.Response{}, api.ErrNoRoute
	}
	body, err := decode[struct {
		Flavor struct {
			Description string `json:"description"`
		} `json:"flavor"`
	}](r, updateFlavorSchema)
	if err != nil {
		return api.Response{}, err
	}
	return a.changeFlavor(r, r.PathValue("id"), &messages.UpdateFlavor{Description: &body.Flavor.Description})
}

func (a *API) deleteFlavor(r *api.Request) (api.Response, error) {
	_, err := a.cloud.Ask(r.Context(), flavorRef(r.PathValue("id")), &messages.DeleteFlavor{})
	return api.Response{Status: http.StatusAccepted}, err
}

var accessSchemas = map[string]*schema{
	"addTenantAccess":    accessSchema("addTenantAccess"),
	"removeTenantAccess": accessSchema("removeTenantAccess"),
}

func accessSchema(name string) *schema {
	return constant(name, wrapped(name, fields(object{
		"tenant": object{"type": "string", "minLength": 1, "maxLength": maxName},
	}, "tenant")))
}

// actOnFlavor gives a project access to a private flavor, or takes it away.
func (a *API) actOnFlavor(r *api.Request) (api.Response, error) {
	raw, err := api.ReadJSON(r)
	if err != nil {
		return api.Response{}, err
	}
	for name, s := range accessSchemas {
		if !strings.Contains(string(raw), `"`+name+`"`) {
			continue
		}
		body, err := parse[map[string]struct {
			Tenant string `json:"tenant"`
		}](raw, s, r.Version.Minor)
		if err != nil {
			return api.Response{}, err
		}
		return a.setAccess(r, body[name].Tenant, name == "removeTenantAccess")
	}
	return api.Response{}, badRequest("There is no such action on a flavor")
}

func (a *API) setAccess(r *api.Request, project string, remove bool) (api.Response, error) {
	f, err := a.askFlavor(r, r.PathValue("id"))
	if err != nil {
		return api.Response{}, err
	}
	if f.Public && !remove && r.Version.AtLeast(7) {
		return api.Response{}, conflict("Can not add access to a public flavor.")
	}
	f, err = cluster.Ask[*messages.Flavor](r.Context(), a.cloud, flavorRef(f.Id),
		&messages.SetFlavorAccess{ProjectId: project, Remove: remove})
	if err != nil {
		return api.Response{}, err
	}
	return access(f), nil
}

func (a *API) listAccess(r *api.Request) (api.Response, error) {
	f, err := a.askFlavor(r, r.PathValue("id"))
	if err != nil {
		return api.Response{}, err
	}
	if f.Public {
		return api.Response{}, notFound("Access list not available for public flavors.")
	}
	return access(f), nil
}

type accessView struct {
	FlavorID string `json:"flavor_id"`
	TenantID string `json:"tenant_id"`
}

func access(f *messages.Flavor) api.Response {
	rows := make([]accessView, 0, len(f.Access))
	for _, p := range f.Access {
		rows = append(rows, accessView{f.Id, p})
	}
	return api.Response{Body: struct {
		Access []accessView `json:"flavor_access"`
	}{rows}}
}
