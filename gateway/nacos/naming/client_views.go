package naming

import (
	"net"
	"net/http"
	"strconv"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

var localAddrKey = http.LocalAddrContextKey

// clientSummary is what is shown of one client.
type clientSummary struct {
	ClientID        string `json:"clientId"`
	Ephemeral       bool   `json:"ephemeral"`
	LastUpdatedTime int64  `json:"lastUpdatedTime"` // Unix milliseconds
	ClientType      string `json:"clientType"`      // connection or ipPort
	ConnectType     string `json:"connectType,omitempty"`
	AppName         string `json:"appName,omitempty"`
	Version         string `json:"version,omitempty"`
	ClientIP        string `json:"clientIp,omitempty"`
	ClientPort      string `json:"clientPort,omitempty"`
}

func (a *API) client(r *api.Request) (api.Answer, error) {
	c, err := a.find(r)
	if err != nil {
		return api.Answer{}, err
	}
	s := clientSummary{ClientID: c.GetId(), Ephemeral: true, LastUpdatedTime: c.GetLastActive(), ClientType: "ipPort"}
	if _, _, ok := isAddress(c.GetId()); !ok {
		s.ClientType, s.ConnectType, s.AppName, s.Version = "connection", c.GetConnectType(), c.GetApp(), c.GetVersion()
		s.ClientIP, s.ClientPort = c.GetIp(), strconv.Itoa(int(c.GetPort()))
	} else if len(c.GetId()) > len(persistentClient) && c.GetId()[len(c.GetId())-len(persistentClient):] == persistentClient {
		s.Ephemeral = false
	}
	return api.Answer{Data: s}, nil
}

// publisherInfo and subscriberInfo are the sides of a link as v3 shows them.
type publisherInfo struct {
	ClientID    string `json:"clientId,omitempty"`
	IP          string `json:"ip"`
	Port        int32  `json:"port"`
	ClusterName string `json:"clusterName"`
}

type subscriberInfo struct {
	ClientID string `json:"clientId,omitempty"`
	AppName  string `json:"appName"`
	Agent    string `json:"agent"`
	Address  string `json:"address"`
}

type serviceInfo struct {
	NamespaceID    string          `json:"namespaceId"`
	GroupName      string          `json:"groupName"`
	ServiceName    string          `json:"serviceName"`
	PublisherInfo  *publisherInfo  `json:"publisherInfo,omitempty"`
	SubscriberInfo *subscriberInfo `json:"subscriberInfo,omitempty"`
}

// registered is an instance as v2 shows it.
type registered struct {
	IP       string `json:"ip"`
	Port     int32  `json:"port"`
	Cluster  string `json:"cluster,omitempty"`
	ClientID string `json:"clientId,omitempty"`
}

// serviceInfoV2 is a link as v2 shows it.
type serviceInfoV2 struct {
	Namespace   string            `json:"namespace"`
	Group       string            `json:"group"`
	ServiceName string            `json:"serviceName"`
	Registered  *registered       `json:"registeredInstance,omitempty"`
	Subscriber  map[string]string `json:"subscriberInfo,omitempty"`
}

func addrOf(c *messages.RegistryClient) string {
	return net.JoinHostPort(c.GetIp(), strconv.Itoa(int(c.GetPort())))
}

// publishes lists what a client published.
func (a *API) publishes(v3 bool) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		c, err := a.find(r)
		if err != nil {
			return api.Answer{}, err
		}
		list := []any{}
		for _, l := range c.GetPublishes() {
			if v3 {
				list = append(list, serviceInfo{
					NamespaceID: l.GetNamespace(), GroupName: l.GetGroup(), ServiceName: l.GetName(),
					PublisherInfo: &publisherInfo{IP: l.GetIp(), Port: l.GetPort(), ClusterName: l.GetCluster()},
				})
				continue
			}
			list = append(list, serviceInfoV2{
				Namespace: l.GetNamespace(), Group: l.GetGroup(), ServiceName: l.GetName(),
				Registered: &registered{IP: l.GetIp(), Port: l.GetPort(), Cluster: l.GetCluster()},
			})
		}
		return api.Answer{Data: list}, nil
	}
}

// subscribes lists what a client listens to.
func (a *API) subscribes(v3 bool) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		c, err := a.find(r)
		if err != nil {
			return api.Answer{}, err
		}
		list := []any{}
		for _, l := range c.GetSubscribes() {
			if v3 {
				list = append(list, serviceInfo{
					NamespaceID: l.GetNamespace(), GroupName: l.GetGroup(), ServiceName: l.GetName(),
					SubscriberInfo: &subscriberInfo{AppName: c.GetApp(), Agent: c.GetAgent(), Address: addrOf(c)},
				})
				continue
			}
			list = append(list, serviceInfoV2{
				Namespace: l.GetNamespace(), Group: l.GetGroup(), ServiceName: l.GetName(),
				Subscriber: map[string]string{"app": c.GetApp(), "agent": c.GetAgent(), "addr": addrOf(c)},
			})
		}
		return api.Answer{Data: list}, nil
	}
}
