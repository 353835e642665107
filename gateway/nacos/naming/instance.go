package naming

import (
	"errors"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// ref is the grain of a service.
func ref(k api.Key) actors.Ref { return service.Ref(k.Namespace, k.Group, k.Name) }

// grouped is GROUP@@name.
func grouped(k api.Key) string { return wire.GroupedName(k.Group, k.Name) }

// clusterOf is the cluster that v names: v1 knows it by two names.
func clusterOf(v *api.Values) string {
	c := v.Or(api.DefaultCluster, "clusterName", "cluster")
	if err := api.CheckCluster(c); err != nil {
		v.Fail(err)
	}
	return c
}

// address is the ip and the port that v names.
func address(v *api.Values) (ip string, port int32) {
	ip = strings.TrimSpace(v.Need("ip"))
	n := v.NeedInt("port")
	if v.Err() == nil {
		if err := api.CheckAddress(ip, n); err != nil {
			v.Fail(err)
			return ip, 0
		}
	}
	return ip, int32(n)
}

// keyOf names the endpoint that v means.
func keyOf(v *api.Values) *messages.EndpointKey {
	ip, port := address(v)
	return &messages.EndpointKey{Ip: ip, Port: port, Cluster: clusterOf(v)}
}

// endpoint is the instance of a service that v describes.
func (a *API) endpoint(v *api.Values, k api.Key) *messages.Endpoint {
	e := wire.NewEndpoint()
	e.Ip, e.Port = address(v)
	e.Cluster = clusterOf(v)
	e.Weight = v.Float(e.Weight, "weight")
	e.Enabled = v.Bool(e.Enabled, "enabled", "enable")
	e.Healthy = v.Bool(e.Healthy, "healthy")
	e.Persistent = !v.Bool(a.Switches().Ephemeral, "ephemeral")
	e.App = v.Text("app")
	e.Metadata = metadata(v, api.MetadataError)
	if v.Err() == nil {
		v.Fail(finish(k, e))
	}
	return e
}

// finish fills in what an endpoint's metadata say, and checks it, with the code of
// what is wrong.
func finish(k api.Key, e *messages.Endpoint) error {
	wire.Finish(grouped(k), e)
	return coded(service.CheckEndpoint(e))
}

// codes are those of what can be wrong with an endpoint; what is not here is an
// error of the parameters.
var codes = []struct {
	err  error
	code api.Code
}{
	{service.ErrWeight, api.WeightError},
	{service.ErrMetadata, api.MetadataError},
	{service.ErrBeat, api.InstanceError},
	{service.ErrText, api.InstanceError},
	{service.ErrThreshold, api.ParameterInvalid},
	{service.ErrSelector, api.SelectorError},
	{service.ErrName, api.ServiceNameError},
}

func coded(err error) error {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code.With(err)
		}
	}
	return err
}

// as gives an error of that kind the code; others stay as they are.
func as(err, kind error, code api.Code) error {
	if errors.Is(err, kind) {
		return code.With(err)
	}
	return err
}
