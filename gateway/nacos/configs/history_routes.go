package configs

import (
	"errors"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// historyList answers a page of a key's history, newest first.
func (a *API) historyList(names api.ConfigNames) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		key, err := names.Key(r)
		v := r.Values()
		page := v.Page(defaultPage)
		if err := first(err, v.Err()); err != nil {
			return api.Answer{}, err
		}
		lines, total, err := a.lines(r.Context(), key, page)
		if err != nil {
			return api.Answer{}, err
		}
		if names == api.ConfigV3 {
			return api.Answer{Data: api.PagedOf(shown(lines, r, names, historyBasic), total, page)}, nil
		}
		return answer(r, api.PagedOf(shown(lines, r, names, historyLine), total, page)), nil
	}
}

// shown renders rows.
func shown[T any](rows []*messages.ConfigChange, r *api.Request, names api.ConfigNames, show func(*messages.ConfigChange, string) T) []T {
	all := make([]T, len(rows))
	for i, row := range rows {
		all[i] = show(row, tenant(r, names))
	}
	return all
}

// answer is bare in v1, and wrapped in v2 and v3.
func answer(r *api.Request, data any) api.Answer {
	if r.Route.Form == api.Plain {
		return api.Answer{Bare: data}
	}
	return api.Answer{Data: data}
}

// historyRow answers one row; before: the one before it.
func (a *API) historyRow(names api.ConfigNames, before bool) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		found, err := a.asked(r, names, before)
		switch {
		case err != nil:
			return api.Answer{}, err
		case names == api.ConfigV3:
			return api.Answer{Data: historyDetail(found, tenant(r, names))}, nil
		}
		return answer(r, historyFull(found, tenant(r, names))), nil
	}
}

// asked is the row that nid names, or the one before that which id names.
func (a *API) asked(r *api.Request, names api.ConfigNames, before bool) (*messages.ConfigChange, error) {
	key, err := names.Key(r)
	if err != nil {
		return nil, err
	}
	what := "nid"
	if before {
		what = "id"
	}
	number, err := historyNumber(r, what)
	if err != nil {
		return nil, err
	}
	missing := api.ResourceNotFound.Errorf("certain config history for nid = %d not exist", number)
	if before {
		missing = api.ResourceNotFound.Errorf("previous config history for id = %d not exist", number)
		line, err := a.lineBeforeAny(r, key, number)
		if err != nil {
			return nil, err
		}
		if line == nil {
			return nil, missing
		}
		number = line.GetNumber()
	}
	c, err := a.changed(r.Context(), key, number)
	if errors.Is(err, messages.NotFound) {
		err = missing
	}
	return c, err
}

// lineBeforeAny is the line right before a number, whatever it is about.
func (a *API) lineBeforeAny(r *api.Request, key api.Key, number int64) (found *messages.ConfigChange, err error) {
	prefix := config.HistoryKeys(key.Namespace, key.Group, key.Name)
	after := config.HistoryKey(key.Namespace, key.Group, key.Name, max(0, number))
	err = a.each(r.Context(), prefix, after, func(e actors.Entry) (bool, error) {
		found, err = change(e)
		return false, err
	})
	return found, err
}

// historyChange answers a change with what there was before it and after it.
func (a *API) historyChange(r *api.Request) (api.Answer, error) {
	c, err := a.asked(r, api.ConfigV2, false)
	if err != nil {
		return api.Answer{}, err
	}
	w := wire.ConfigHistoryChange{
		ID: id(c), LastID: noLast, DataID: c.GetDataId(), Group: c.GetGroup(), Tenant: tenant(r, api.ConfigV2),
		OpType: c.GetOperation(), PublishType: publishType(c), GrayName: c.GetGrayName(), AppName: c.GetApp(),
		SrcIP: c.GetIp(), SrcUser: orNull(c.GetUser()),
		CreatedTime: wire.HistoryTime(c.GetChangedAt()), LastModifiedTime: wire.HistoryTime(c.GetChangedAt()),
	}
	brought := c
	if c.GetOperation() != inserted {
		w.OriginalContent, w.OriginalMD5 = c.GetContent(), c.GetMd5()
		w.OriginalEncryptedDataKey, w.OriginalExtInfo = c.GetEncryptedDataKey(), extInfo(c)
		brought = nil
	}
	if c.GetOperation() == updated {
		key, err := api.ConfigV2.Key(r)
		if err == nil {
			brought, err = a.broughtBy(r.Context(), key, c)
		}
		if err != nil {
			return api.Answer{}, err
		}
	}
	if brought != nil {
		w.UpdatedContent, w.UpdatedMD5 = brought.GetContent(), brought.GetMd5()
		w.UpdatedEncryptedDataKey, w.UpdateExtInfo = brought.GetEncryptedDataKey(), extInfo(brought)
	}
	return api.Answer{Data: w}, nil
}

// historyConfigs answers all keys of a namespace, without contents.
func (a *API) historyConfigs(names api.ConfigNames) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		v := r.Values()
		namespace := api.Namespace(v.Text(names.Namespace))
		if _, said := r.Params[names.Namespace]; !said {
			return api.Answer{}, api.Missing(names.Namespace)
		}
		if err := api.CheckNamespace(namespace); err != nil {
			return api.Answer{}, err
		}
		var keys []found
		err := a.walk(r.Context(), &query{namespace: namespace}, func(f found) error {
			if len(keys) == maxListed {
				return api.ParameterInvalid.Errorf("the namespace holds more than %d configs: search for them by pages", maxListed)
			}
			keys = append(keys, f)
			return nil
		})
		if err != nil {
			return api.Answer{}, err
		}
		entries, err := a.entries(r.Context(), keys)
		if err != nil {
			return api.Answer{}, err
		}
		return answer(r, namespaceList(entries, tenant(r, names), names)), nil
	}
}

func namespaceList(entries []*messages.ConfigEntry, tenant string, names api.ConfigNames) any {
	if names == api.ConfigV3 {
		rows := make([]wire.ConfigBasicInfo, len(entries))
		for i, e := range entries {
			rows[i] = basicInfo(e, tenant)
		}
		return rows
	}
	rows := make([]wire.ConfigWrapper, len(entries))
	for i, e := range entries {
		rows[i] = wire.ConfigWrapper{ConfigInfo: configInfo(e, tenant), LastModified: millis(e.GetModifiedAt())}
	}
	return rows
}
