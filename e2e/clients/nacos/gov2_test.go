package nacos

import (
	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/config_client"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/model"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

const kindV2 = "nacos-sdk-go 2.3.5"

// v2 is the Go client that speaks gRPC.
type v2 struct {
	naming naming_client.INamingClient
	config config_client.IConfigClient
}

func openV2(a access) (sdk, error) {
	p := vo.NacosClientParam{
		ClientConfig: &constant.ClientConfig{
			TimeoutMs: 30000, NotLoadCacheAtStart: true, UpdateCacheWhenEmpty: true, DisableUseSnapShot: true,
			LogDir: a.Dir, CacheDir: a.Dir, LogLevel: "info", Username: a.Username, Password: a.Password,
		},
		ServerConfigs: []constant.ServerConfig{{IpAddr: a.Host, Port: a.Port, ContextPath: "/nacos"}},
	}
	naming, err := clients.NewNamingClient(p)
	if err != nil {
		return nil, err
	}
	config, err := clients.NewConfigClient(p)
	return &v2{naming, config}, err
}

func (c *v2) register(service string, i instance) error {
	return done(c.naming.RegisterInstance(vo.RegisterInstanceParam{
		Ip: i.IP, Port: i.Port, Weight: i.Weight, Enable: true, Healthy: true, Ephemeral: !i.Persistent, Metadata: i.Metadata,
		ServiceName: service, GroupName: group,
	}))
}

func (c *v2) update(service string, i instance) error {
	return done(c.naming.UpdateInstance(vo.UpdateInstanceParam{
		Ip: i.IP, Port: i.Port, Weight: i.Weight, Enable: true, Healthy: true, Ephemeral: !i.Persistent, Metadata: i.Metadata,
		ServiceName: service, GroupName: group,
	}))
}

func (c *v2) deregister(service string, i instance) error {
	return done(c.naming.DeregisterInstance(vo.DeregisterInstanceParam{
		Ip: i.IP, Port: i.Port, Ephemeral: !i.Persistent, ServiceName: service, GroupName: group,
	}))
}

func (c *v2) list(service string) ([]instance, error) {
	all, err := c.naming.SelectAllInstances(vo.SelectAllInstancesParam{ServiceName: service, GroupName: group})
	return fromV2(all), err
}

func fromV2(all []model.Instance) []instance {
	some := make([]instance, len(all))
	for i, n := range all {
		some[i] = instance{IP: n.Ip, Port: n.Port, Weight: n.Weight, Healthy: n.Healthy, Metadata: n.Metadata}
	}
	return some
}

func (c *v2) services() ([]string, error) {
	list, err := c.naming.GetAllServicesInfo(vo.GetAllServiceInfoParam{GroupName: group, PageNo: 1, PageSize: 100})
	return list.Doms, err
}

func (c *v2) subscribe(service string, changed func([]instance)) error {
	return c.naming.Subscribe(&vo.SubscribeParam{
		ServiceName: service, GroupName: group,
		SubscribeCallback: func(now []model.Instance, err error) { changed(fromV2(now)) },
	})
}

func (c *v2) publish(key, content string) error {
	return done(c.config.PublishConfig(vo.ConfigParam{DataId: key, Group: group, Content: content}))
}

func (c *v2) get(key string) (string, error) {
	return c.config.GetConfig(vo.ConfigParam{DataId: key, Group: group})
}

func (c *v2) listen(key string, changed func(string)) error {
	return c.config.ListenConfig(vo.ConfigParam{
		DataId: key, Group: group, OnChange: func(_, _, _, content string) { changed(content) },
	})
}

func (c *v2) remove(key string) error {
	return done(c.config.DeleteConfig(vo.ConfigParam{DataId: key, Group: group}))
}
