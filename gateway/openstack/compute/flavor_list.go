package compute

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	kind "github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

func (a *API) listFlavors(r *api.Request) (api.Response, error) {
	found, next, err := a.flavors(r)
	if err != nil {
		return api.Response{}, err
	}
	out := make([]basicFlavor, 0, len(found))
	for _, f := range found {
		out = append(out, basic(r, f))
	}
	return api.Response{Body: struct {
		Flavors []basicFlavor `json:"flavors"`
		Links   []link        `json:"flavors_links,omitempty"`
	}{out, next}}, nil
}

func (a *API) listFlavorsDetail(r *api.Request) (api.Response, error) {
	found, next, err := a.flavors(r)
	if err != nil {
		return api.Response{}, err
	}
	out := make([]flavorView, 0, len(found))
	for _, f := range found {
		out = append(out, flavor(r, f))
	}
	return api.Response{Body: struct {
		Flavors []flavorView `json:"flavors"`
		Links   []link       `json:"flavors_links,omitempty"`
	}{out, next}}, nil
}

// flavorSorts are what flavors may be sorted by.
var flavorSorts = map[string]func(a, b *messages.Flavor) int{
	"flavorid":     func(a, b *messages.Flavor) int { return strings.Compare(a.Id, b.Id) },
	"id":           func(a, b *messages.Flavor) int { return strings.Compare(a.Id, b.Id) },
	"name":         func(a, b *messages.Flavor) int { return strings.Compare(a.Name, b.Name) },
	"description":  func(a, b *messages.Flavor) int { return strings.Compare(a.Description, b.Description) },
	"memory_mb":    func(a, b *messages.Flavor) int { return cmp.Compare(a.RamMib, b.RamMib) },
	"vcpus":        func(a, b *messages.Flavor) int { return cmp.Compare(a.Vcpus, b.Vcpus) },
	"root_gb":      func(a, b *messages.Flavor) int { return cmp.Compare(a.DiskGib, b.DiskGib) },
	"ephemeral_gb": func(a, b *messages.Flavor) int { return cmp.Compare(a.EphemeralGib, b.EphemeralGib) },
	"swap":         func(a, b *messages.Flavor) int { return cmp.Compare(a.SwapMib, b.SwapMib) },
	"rxtx_factor":  func(a, b *messages.Flavor) int { return cmp.Compare(a.RxtxFactor, b.RxtxFactor) },
	"is_public":    func(a, b *messages.Flavor) int { return compareBool(a.Public, b.Public) },
	"disabled":     func(a, b *messages.Flavor) int { return compareBool(a.Disabled, b.Disabled) },
	"created_at":   func(_, _ *messages.Flavor) int { return 0 }, // flavors have no age here
	"updated_at":   func(_, _ *messages.Flavor) int { return 0 },
	"vcpu_weight":  func(_, _ *messages.Flavor) int { return 0 },
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// flavors are those the request asks for, sorted, and the link to more.
func (a *API) flavors(r *api.Request) ([]*messages.Flavor, []link, error) {
	query, err := queryOf(r)
	if err != nil {
		return nil, nil, err
	}
	if r.Version.AtLeast(75) {
		if err := onlyParams(query, "limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir"); err != nil {
			return nil, nil, err
		}
	}
	page, err := api.PageOf(query, a.cfg.MaxPage)
	if err != nil {
		return nil, nil, err
	}
	keep, err := flavorFilter(r, query)
	if err != nil {
		return nil, nil, err
	}
	order, err := flavorOrder(query)
	if err != nil {
		return nil, nil, err
	}
	var found []*messages.Flavor
	if err := a.each(r.Context(), kind.IndexPrefix, func(e actors.Entry) (bool, error) {
		f, err := read(e, &messages.Flavor{})
		if err == nil && keep(f) {
			found = append(found, f)
		}
		return true, err
	}); err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(found, order)
	if page.Marker != "" {
		at := slices.IndexFunc(found, func(f *messages.Flavor) bool { return f.Id == page.Marker })
		if at < 0 {
			return nil, nil, noMarker(page.Marker)
		}
		found = found[at+1:]
	}
	if found = found[:min(len(found), page.Limit)]; len(found) == 0 {
		return nil, nil, nil
	}
	return found, nextLink(r, page, len(found), found[len(found)-1].Id), nil
}

// flavorFilter keeps what the caller may see and asks for. Only administrators
// see private flavors by asking; others see those they have access to.
func flavorFilter(r *api.Request, query url.Values) (func(*messages.Flavor) bool, error) {
	minRAM, err := atLeast(query, "minRam")
	if err != nil {
		return nil, err
	}
	minDisk, err := atLeast(query, "minDisk")
	if err != nil {
		return nil, err
	}
	public, any := true, false
	if v := query.Get("is_public"); v != "" && r.Principal.Admin() {
		if any = strings.EqualFold(v, "none"); !any {
			if public, err = truth(v); err != nil {
				return nil, badRequest("Invalid is_public filter [%s]", clip(v))
			}
		}
	}
	project, admin := r.Principal.ProjectID, r.Principal.Admin()
	return func(f *messages.Flavor) bool {
		seen := any || f.Public == public
		if !admin {
			seen = !f.Disabled && (f.Public || slices.Contains(f.Access, project))
		}
		return seen && f.RamMib >= minRAM && f.DiskGib >= minDisk
	}, nil
}

func atLeast(query url.Values, name string) (int64, error) {
	if !query.Has(name) {
		return 0, nil
	}
	n, err := strconv.ParseInt(query.Get(name), 10, 64)
	if err != nil {
		return 0, badRequest("Invalid %s filter [%s]", name, clip(query.Get(name)))
	}
	return n, nil
}

func flavorOrder(query url.Values) (func(a, b *messages.Flavor) int, error) {
	key, dir := query.Get("sort_key"), query.Get("sort_dir")
	if key == "" {
		key = "flavorid"
	}
	by, ok := flavorSorts[key]
	if !ok {
		return nil, badRequest("Invalid input for query parameters sort_key. Value: %s. %s is not a sort key", shown(key), repr(key))
	}
	switch dir {
	case "", "asc":
		return func(a, b *messages.Flavor) int { return cmp.Or(by(a, b), strings.Compare(a.Id, b.Id)) }, nil
	case "desc":
		return func(a, b *messages.Flavor) int { return cmp.Or(by(b, a), strings.Compare(b.Id, a.Id)) }, nil
	}
	return nil, badRequest("Invalid input for query parameters sort_dir. Value: %s. %s is not one of ['asc', 'desc']", shown(dir), repr(dir))
}
