package nacos

import (
	"errors"

	"github.com/nacos-group/nacos-sdk-go/clients"
	"github.com/nacos-group/nacos-sdk-go/clients/config_client"
	"github.com/nacos-group/nacos-sdk-go/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/common/constant"
	"github.com/nacos-group/nacos-sdk-go/model"
	"github.com/nacos-group/nacos-sdk-go/vo"
)

const kindV1 = "nacos-sdk-go 1.1.6"

// v1 is the Go client that speaks HTTP.
type v1 struct {
	naming naming_client.INamingClient
	config config_client.IConfigClient
}

func openV1(a access) (sdk, error) {
	p := vo.NacosClientParam{
		ClientConfig: &constant.ClientConfig{
			TimeoutMs: 30000, NotLoadCacheAtStart: true, UpdateCacheWhenEmpty: true,
			LogDir: a.Dir, CacheDir: a.Dir, LogLevel: "info", Username: a.Username, Password: a.Password,
		},
		ServerConfigs: []constant.ServerConfig{{IpAddr: a.Host, Port: a.Port, ContextPath: "/nacos"}},
	}
	naming, err := clients.NewNamingClient(p)
	if err != nil {
		return nil, err
	}
	config, err := clients.NewConfigClient(p)
	return &v1{naming, config}, err
}

// done makes an error of what a client calls a failure.
func done(ok bool, err error) error {
	if err == nil && !ok {
		err = errors.New("it said false")
	}
	return err
}

func (c *v1) register(service string, i instance) error {
	return done(c.naming.RegisterInstance(vo.RegisterInstanceParam{
		Ip: i.IP, Port: i.Port, Weight: i.Weight, Enable: true, Healthy: true, Ephemeral: !i.Persistent, Metadata: i.Metadata,
		ServiceName: service, GroupName: group,
	}))
}

func (c *v1) update(service string, i instance) error {
	return done(c.naming.UpdateInstance(vo.UpdateInstanceParam{
		Ip: i.IP, Port: i.Port, Weight: i.Weight, Enable: true, Ephemeral: !i.Persistent, Metadata: i.Metadata,
		ServiceName: service, GroupName: group,
	}))
}

func (c *v1) deregister(service string, i instance) error {
	return done(c.naming.DeregisterInstance(vo.DeregisterInstanceParam{
		Ip: i.IP, Port: i.Port, Ephemeral: !i.Persistent, ServiceName: service, GroupName: group,
	}))
}

// list asks for a service of which the client knows nothing yet; it is then polled.
func (c *v1) list(service string) ([]instance, error) {
	all, err := c.naming.SelectAllInstances(vo.SelectAllInstancesParam{ServiceName: service, GroupName: group})
	some := make([]instance, len(all))
	for i, n := range all {
		some[i] = instance{IP: n.Ip, Port: n.Port, Weight: n.Weight, Healthy: n.Healthy, Metadata: n.Metadata}
	}
	return some, err
}

func (c *v1) services() ([]string, error) {
	list, err := c.naming.GetAllServicesInfo(vo.GetAllServiceInfoParam{GroupName: group, PageNo: 1, PageSize: 100})
	return list.Doms, err
}

func (c *v1) subscribe(service string, changed func([]instance)) error {
	return c.naming.Subscribe(&vo.SubscribeParam{
		ServiceName: service, GroupName: group,
		SubscribeCallback: func(now []model.SubscribeService, err error) {
			some := make([]instance, len(now))
			for i, n := range now {
				some[i] = instance{IP: n.Ip, Port: n.Port, Weight: n.Weight, Healthy: n.Healthy, Metadata: n.Metadata}
			}
			changed(some)
		},
	})
}

func (c *v1) publish(key, content string) error {
	return done(c.config.PublishConfig(vo.ConfigParam{DataId: key, Group: group, Content: content}))
}

func (c *v1) get(key string) (string, error) {
	return c.config.GetConfig(vo.ConfigParam{DataId: key, Group: group})
}

func (c *v1) listen(key string, changed func(string)) error {
	return c.config.ListenConfig(vo.ConfigParam{
		DataId: key, Group: group, OnChange: func(_, _, _, content string) { changed(content) },
	})
}

func (c *v1) remove(key string) error {
	return done(c.config.DeleteConfig(vo.ConfigParam{DataId: key, Group: group}))
}
