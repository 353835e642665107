package eureka

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hudl/fargo"

	"github.com/troupe-cloud/troupe/e2e/clients/cloud"
)

// fargoClient is hudl/fargo, which renews nothing by itself: a loop does, as its
// users write one.
type fargoClient struct {
	t        *testing.T
	conn     fargo.EurekaConnection
	instance fargo.Instance
	server   server
	once     sync.Once
	stop     chan struct{}
	stopped  chan struct{}
}

func newFargo(t *testing.T, c *cloud.Cloud, s server, asJSON bool) client {
	f := &fargoClient{t: t, conn: fargo.NewConn(apiURL(c, "/eureka/v2")), stop: make(chan struct{}), stopped: make(chan struct{})}
	f.conn.UseJson, f.conn.Timeout = asJSON, 30*time.Second
	f.instance = f.made(s)
	f.server = s
	close(f.stopped)
	return f
}

// made is the instance as its owner describes it. What fargo reads back from XML has
// lost its metadata, and would be registered again without.
func (f *fargoClient) made(s server) fargo.Instance {
	i := fargo.Instance{
		InstanceId: s.host + ":" + s.app, HostName: s.host, App: s.app, IPAddr: s.ip, VipAddress: strings.ToLower(s.app),
		Port: s.port, PortEnabled: true, Status: fargo.UP, DataCenterInfo: fargo.DataCenterInfo{Name: fargo.MyOwn},
		LeaseInfo: fargo.LeaseInfo{RenewalIntervalInSecs: int32(renewEvery / time.Second), DurationInSecs: int32(leaseTime / time.Second)},
	}
	for k, v := range s.metadata {
		i.SetMetadataString(k, v)
	}
	return i
}

func (f *fargoClient) register() error {
	if err := f.conn.RegisterInstance(&f.instance); err != nil {
		return err
	}
	f.stop, f.stopped, f.once = make(chan struct{}), make(chan struct{}), sync.Once{}
	f.t.Cleanup(f.kill)
	go f.renew(f.instance, f.stop, f.stopped)
	return nil
}

func (f *fargoClient) renew(i fargo.Instance, stop, stopped chan struct{}) {
	defer close(stopped)
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		err := f.conn.HeartBeatInstance(&i)
		if code, ok := fargo.HTTPResponseStatusCode(err); ok && code == http.StatusNotFound {
			again := f.made(f.server)
			_ = f.conn.ReregisterInstance(&again) // or with the next one
		}
	}
}

func (f *fargoClient) cancel() error {
	f.kill()
	return f.conn.DeregisterInstance(&f.instance)
}

func (f *fargoClient) kill() {
	f.once.Do(func() { close(f.stop) })
	<-f.stopped
}

func (f *fargoClient) list(app string) ([]seen, error) {
	apps, err := f.conn.GetApps()
	if err != nil || apps[app] == nil {
		return nil, err
	}
	one, err := f.conn.GetApp(app)
	if err != nil {
		return nil, err
	}
	byVIP, err := f.conn.GetInstancesByVIPAddress(strings.ToLower(app), false)
	if err != nil {
		return nil, err
	}
	if len(byVIP) != len(one.Instances) {
		f.t.Logf("%d instances of %s, %d at its VIP address: it is changing", len(one.Instances), app, len(byVIP))
	}
	all := make([]seen, 0, len(one.Instances))
	for _, i := range one.Instances {
		s := seen{IP: i.IPAddr, Port: i.Port, Status: string(i.Status), Metadata: map[string]string{}}
		for k, v := range i.Metadata.GetMap() {
			s.Metadata[k] = fmt.Sprint(v) // of XML it makes numbers where it can
		}
		all = append(all, s)
	}
	return all, nil
}
