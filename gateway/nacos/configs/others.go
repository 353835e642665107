package configs

import (
	"context"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
)

// capacity answers how much a group (of the public namespace, as with Nacos) or a
// namespace holds. There is no quota: what would fill is the disk.
func (a *API) capacity(group, namespace string) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		v := r.Values()
		c := wire.Capacity{Group: v.Text(group), Tenant: v.Text(namespace), MaxSize: config.MaxContentBytes}
		if c.Group == "" && c.Tenant == "" {
			return api.Answer{}, api.ParameterMissing.Errorf("At least one of the parameters (%s or %s) must be provided", group, namespace)
		}
		q := &query{namespace: api.Namespace(c.Tenant)}
		err := api.CheckNamespace(q.namespace)
		if c.Group != "" {
			err = first(err, api.CheckGroup(c.Group))
			q.group, _ = parsePattern(c.Group, false) // it was looked at just now
		}
		if err != nil {
			return api.Answer{}, err
		}
		err = a.walk(r.Context(), q, func(found) error { c.Usage++; return nil })
		return api.Answer{Data: c}, err
	}
}

// setCapacity is refused: a quota that nobody keeps would be worse than none.
func (a *API) setCapacity(*api.Request) (api.Answer, error) {
	return api.Answer{}, api.Disabled.Errorf("there are no quotas of configs here")
}

// health answers UP if the store can be read.
func (a *API) health(r *api.Request) (api.Answer, error) {
	if _, _, err := a.cloud.List(r.Context(), cluster.Page{Prefix: config.IndexPrefix, Limit: 1}); err != nil {
		a.log.Warn().Err(err).Msg("the store cannot be read")
		return api.Answer{Data: "DOWN:the store cannot be read. "}, nil
	}
	return api.Answer{Data: "UP"}, nil
}

// clientMetrics answers what the clients at an address hold of a key.
func (a *API) clientMetrics(names api.ConfigNames) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		v := r.Values()
		ip := v.Need("ip")
		if err := v.Err(); err != nil {
			return api.Answer{}, err
		}
		var keys []api.Key
		if v.Text("dataId") != "" {
			key, err := names.Key(r)
			if err != nil {
				return api.Answer{}, err
			}
			keys = []api.Key{key}
		}
		held := map[string]any{}
		if a.metrics != nil {
			said, err := a.metrics(r.Context(), ip, keys)
			if err != nil {
				return api.Answer{}, err
			}
			for name, value := range said {
				held[name] = value
			}
		}
		return answer(r, held), nil
	}
}

// refreshCache answers an order to read everything anew: nothing here is kept
// apart from the store, so that it is done already.
func (a *API) refreshCache(r *api.Request) (api.Answer, error) {
	if r.Route.Form == api.Plain {
		return api.Answer{Data: "200"}, nil
	}
	return api.Answer{Data: "Local cache updated from store successfully!"}, nil
}

// setLogLevel is refused: the loggers that it names are not here.
func (a *API) setLogLevel(*api.Request) (api.Answer, error) {
	return api.Answer{}, api.Disabled.Errorf("the levels of Nacos' loggers cannot be set here")
}

// Usage is how many keys of a namespace have a formal content, for whoever shows
// namespaces.
func (a *API) Usage(ctx context.Context, namespace string) (int, error) {
	n := 0
	err := a.walk(ctx, &query{namespace: api.Namespace(namespace)}, func(found) error { n++; return nil })
	return n, err
}
