package configs

import (
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// numbers reads ids: numbers by commas, or said several times.
func numbers(said []string) ([]int64, error) {
	var all []int64
	for _, some := range said {
		for s := range strings.SplitSeq(some, ",") {
			if s = strings.TrimSpace(s); s == "" {
				continue
			}
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < 1 {
				return nil, api.ParameterInvalid.Errorf("Param 'ids' holds '%s', which is no id", api.Short(s))
			}
			if all = append(all, n); len(all) > maxIDs {
				return nil, api.ParameterInvalid.Errorf("Param 'ids' holds more than %d ids", maxIDs)
			}
		}
	}
	return all, nil
}

// numbered are the keys that have these numbers and that the user of r may touch
// so; what is not there is left out. An id says nothing about its namespace, so a
// route that takes ids is permitted here and not by its parameters.
func (a *API) numbered(r *api.Request, ids []int64, to api.Action) ([]api.Key, error) {
	keys := make([]api.Key, 0, len(ids))
	for _, id := range ids {
		key, ok, err := a.byNumber(r.Context(), id)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if !r.User.May(to, resource(key)) {
			return nil, errForbidden
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// removeByIDs removes the formal contents of keys; what is absent is no error.
func (a *API) removeByIDs(r *api.Request) (api.Answer, error) {
	if r.Values().Text("ids") == "" {
		return api.Answer{}, api.Missing("ids")
	}
	ids, err := numbers(r.Params["ids"])
	if err != nil {
		return api.Answer{}, err
	}
	keys, err := a.numbered(r, ids, api.Write)
	if err != nil {
		return api.Answer{}, err
	}
	for _, key := range keys {
		if err := a.withdraw(r, key, ""); err != nil {
			return api.Answer{}, err
		}
	}
	if r.Route.Form == api.Plain {
		return rest("", true), nil
	}
	return api.Answer{Data: true}, nil
}
