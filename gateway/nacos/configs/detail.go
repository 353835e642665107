package configs

import (
	"errors"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// whole is all there is under the key that r names.
func (a *API) whole(r *api.Request, names api.ConfigNames) (api.Key, *messages.Config, error) {
	key, err := names.Key(r)
	if err != nil {
		return key, nil, err
	}
	c, err := cluster.Ask[*messages.Config](r.Context(), a.cloud, ref(key), &messages.GetConfigDetail{})
	if errors.Is(err, messages.NotFound) {
		err = absent(r.Route.Form)
	}
	return key, c, err
}

// formal is whole where there is a formal content.
func (a *API) formal(r *api.Request, names api.ConfigNames) (*messages.Config, error) {
	_, c, err := a.whole(r, names)
	if err == nil && !c.GetFormal() {
		err = absent(r.Route.Form)
	}
	return c, err
}

// showAll answers show=all.
func (a *API) showAll(r *api.Request) (api.Answer, error) {
	c, err := a.formal(r, api.ConfigV1)
	if err != nil {
		return api.Answer{}, err
	}
	return api.Answer{Bare: allInfo(c, tenant(r, api.ConfigV1))}, nil
}

// catalog answers all about a key but its content.
func (a *API) catalog(r *api.Request) (api.Answer, error) {
	c, err := a.formal(r, api.ConfigV1)
	if err != nil {
		return api.Answer{}, err
	}
	return api.Answer{Data: advanceInfo(c)}, nil
}

// detail answers one key in v3.
func (a *API) detail(r *api.Request) (api.Answer, error) {
	c, err := a.formal(r, api.ConfigV3)
	if err != nil {
		return api.Answer{}, err
	}
	return api.Answer{Data: detailInfo(c, tenant(r, api.ConfigV3))}, nil
}

// betaV1 answers beta=true: what is published as a beta, and for whom; null if
// nothing is.
func (a *API) betaV1(r *api.Request) (api.Answer, error) {
	key, c, err := a.whole(r, api.ConfigV1)
	if errors.Is(err, messages.NotFound) {
		return rest("query beta ok", nil), nil
	}
	if err != nil {
		return api.Answer{}, err
	}
	gray, err := a.beta(r, key, c)
	if err != nil {
		return api.Answer{}, err
	}
	if gray == nil {
		return rest("query beta ok", nil), nil
	}
	info := configInfo(c.GetEntry(), tenant(r, api.ConfigV1))
	info.DataID, info.Group = r.Values().Text("dataId"), r.Values().Text("group")
	info.Content, info.MD5, info.Type = gray.GetContent(), gray.GetMd5(), gray.GetType()
	info.EncryptedDataKey = gray.GetEncryptedDataKey()
	return rest("query beta ok", wire.ConfigBetaInfo{ConfigInfo: info, BetaIPs: gray.GetGray().GetExpression()}), nil
}

// betaV3 answers the beta of a key; NotFound if there is none.
func (a *API) betaV3(r *api.Request) (api.Answer, error) {
	key, c, err := a.whole(r, api.ConfigV3)
	if err != nil && !errors.Is(err, messages.NotFound) {
		return api.Answer{}, err
	}
	gray, err := a.beta(r, key, c)
	if err != nil {
		return api.Answer{}, err
	}
	if gray == nil {
		return api.Answer{}, api.ResourceNotFound.Errorf("Config is not in beta.")
	}
	return api.Answer{Data: grayInfo(key, gray, c.GetEntry(), tenant(r, api.ConfigV3))}, nil
}

// beta is what is published as a beta; nil: nothing. Beside a large formal content
// it has to be asked for by itself.
func (a *API) beta(r *api.Request, key api.Key, c *messages.Config) (*messages.ConfigContent, error) {
	for _, gray := range c.GetGrays() {
		if gray.GetGray().GetName() != config.BetaName {
			continue
		}
		if gray.GetContent() != "" {
			return gray, nil
		}
		whole, err := cluster.Ask[*messages.ConfigContent](r.Context(), a.cloud, ref(key), &messages.GetConfig{GrayName: config.BetaName})
		if errors.Is(err, messages.NotFound) {
			return nil, nil // ended since
		}
		return whole, err
	}
	return nil, nil
}

// stopBeta removes the beta; its clients see the formal content again.
func (a *API) stopBeta(names api.ConfigNames) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		key, err := names.Key(r)
		if err == nil {
			err = a.withdraw(r, key, config.BetaName)
		}
		if err != nil {
			return api.Answer{}, err
		}
		if r.Route.Form == api.Plain {
			return rest("stop beta ok", true), nil
		}
		return api.Answer{Data: true}, nil
	}
}

// rest is v1's RestResult, on routes some of whose answers are none.
func rest(message string, data any) api.Answer {
	return restCode(200, message, data)
}

func restCode(code int, message string, data any) api.Answer {
	return api.Answer{Bare: struct {
		Code    int     `json:"code"`
		Message *string `json:"message"`
		Data    any     `json:"data"`
	}{code, orNull(message), data}}
}
