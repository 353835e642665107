package configs

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// cloning names one config that is to be cloned, and as what; each version has its
// own words.
type cloning struct {
	CfgID, ConfigID        number
	Group, TargetGroupName string
	DataID, TargetDataID   string
}

// number is an id as a number or as a string.
type number int64

// UnmarshalJSON takes both.
func (n *number) UnmarshalJSON(raw []byte) error {
	s := strings.Trim(string(raw), `"`)
	if s == "null" || s == "" {
		return nil
	}
	i, err := strconv.ParseInt(s, 10, 64)
	*n = number(i)
	return err
}

func (c cloning) id() int64 { return max(int64(c.CfgID), int64(c.ConfigID)) }

func either(a, b, otherwise string) string {
	for _, s := range []string{a, b} {
		if s = strings.TrimSpace(s); s != "" {
			return s
		}
	}
	return otherwise
}

// clone copies configs, named by their numbers, into a namespace.
func (a *API) clone(namespace ...string) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		v := r.Values()
		p, err := parsePolicy(v.Text("policy"))
		if err != nil {
			return api.Answer{}, err
		}
		into, err := a.into(r, v.Text(namespace...))
		if err != nil {
			return moved(r, wire.Transfer{}, "", err)
		}
		wanted, err := clonings(r)
		if err != nil {
			return moved(r, wire.Transfer{}, "", err)
		}
		items, err := a.cloned(r, wanted)
		if err != nil {
			return moved(r, wire.Transfer{}, "", err)
		}
		t, err := a.transfer(r, into, items, p, "clone")
		return moved(r, t, "Clone Completed Successfully", err)
	}
}

func clonings(r *api.Request) ([]cloning, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxClone+1))
	if err != nil || len(raw) > maxClone {
		return nil, api.ParameterInvalid.Errorf("the list of configs could not be read, or is larger than %d bytes", maxClone)
	}
	var all []cloning
	if err := json.Unmarshal(raw, &all); err != nil && len(raw) > 0 {
		return nil, api.ParameterInvalid.Errorf("the body is no JSON list of configs")
	}
	switch {
	case len(all) == 0:
		return nil, errNoneSelected
	case len(all) > maxIDs:
		return nil, api.ParameterInvalid.Errorf("there are more than %d configs in one request", maxIDs)
	}
	return all, nil
}

// cloned are the items that the wanted configs make; what is absent is left out.
func (a *API) cloned(r *api.Request, wanted []cloning) ([]item, error) {
	var items []item
	for _, w := range wanted {
		keys, err := a.numbered(r, []int64{w.id()}, api.Read)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			c, err := cluster.Ask[*messages.Config](r.Context(), a.cloud, ref(key), &messages.GetConfigDetail{})
			if errors.Is(err, messages.NotFound) || err == nil && !c.GetFormal() {
				continue
			}
			if err != nil {
				return nil, err
			}
			it := item{
				group:  either(w.Group, w.TargetGroupName, key.Group),
				dataID: either(w.DataID, w.TargetDataID, key.Name),
				labels: labelsOf(c), dataKey: c.GetEncryptedDataKey(),
				content: a.formalContent(r, key),
			}
			if err := first(api.CheckGroup(it.group), api.CheckDataID(it.dataID)); err != nil {
				return nil, err
			}
			items = append(items, it)
		}
	}
	if len(items) == 0 {
		return nil, errNothing
	}
	return items, nil
}

// formalContent fetches a content when it is its turn.
func (a *API) formalContent(r *api.Request, key api.Key) func() (string, error) {
	return func() (string, error) {
		c, err := cluster.Ask[*messages.ConfigContent](r.Context(), a.cloud, ref(key), &messages.GetConfig{Formal: true})
		return c.GetContent(), err
	}
}

// labelsOf are the labels of a config, for a copy of it.
func labelsOf(c *messages.Config) *messages.ConfigLabels {
	e := c.GetEntry()
	return &messages.ConfigLabels{
		Type: e.GetType(), Tags: e.GetTags(), App: e.GetApp(), Description: e.GetDescription(),
		Use: c.GetUse(), Effect: c.GetEffect(), Schema: c.GetSchema(),
	}
}
