package naming

import (
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// maxNames is how many names one page of v1 may have; later versions cap at
// api.MaxPageSize.
const maxNames = 100_000

// wide is a page without the cap that later versions have.
func wide(v *api.Values, size int) api.Page {
	p := v.Page(size)
	if asked := v.Int(size, "pageSize"); v.Err() == nil {
		p.Size = min(max(asked, p.Size), maxNames)
	}
	return p
}

// names are the bare names of one page of the services of a group, and how many
// there are.
func (a *API) names(r *api.Request, v *api.Values, p api.Page) (names []string, count int, err error) {
	namespace, group := api.Namespace(v.Text("namespaceId")), v.Or(api.DefaultGroup, "groupName")
	v.Fail(api.CheckNamespace(namespace))
	v.Fail(api.CheckGroup(group))
	if s := v.Text("selector"); s != "" { // it is read, and chooses nothing: as Nacos
		_, err := parseSelector(s)
		v.Fail(err)
	}
	if err := v.Err(); err != nil {
		return nil, 0, err
	}
	names = []string{}
	err = a.entries(r.Context(), service.IndexGroup(namespace, group), func(e *messages.ServiceEntry) {
		if count >= p.First() && len(names) < p.Size {
			names = append(names, e.GetName())
		}
		count++
	})
	return names, count, err
}

func (a *API) namesV1(r *api.Request) (api.Answer, error) {
	v := r.Values()
	names, count, err := a.names(r, v, wide(v, 0))
	return api.Answer{Bare: struct {
		Count int      `json:"count"`
		Doms  []string `json:"doms"`
	}{count, names}}, err
}

func (a *API) namesV2(r *api.Request) (api.Answer, error) {
	v := r.Values()
	names, count, err := a.names(r, v, v.Page(20))
	return api.Answer{Data: struct {
		Count    int      `json:"count"`
		Services []string `json:"services"`
	}{count, names}}, err
}

// search finds names, with their groups, by namespace.
func (a *API) search(r *api.Request) (api.Answer, error) {
	v := r.Values()
	prefix, found := service.IndexPrefix, map[string][]string{}
	if namespace := v.Text("namespaceId"); namespace != "" {
		v.Fail(api.CheckNamespace(namespace))
		prefix, found[namespace] = service.IndexNamespace(namespace), []string{}
	}
	match := matcher(v, "expr")
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	err := a.entries(r.Context(), prefix, func(e *messages.ServiceEntry) {
		if name := groupedOf(e); match(name) {
			found[e.GetNamespace()] = append(found[e.GetNamespace()], name)
		}
	})
	return api.Answer{Bare: found}, err
}
