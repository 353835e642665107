package bench

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// pumps keeps connections busy and says how many calls were answered in a second.
func (x *registryCloud) pumps(conns []*client, inFlight int, next func(conn int) func([]byte) []byte) (rate float64, n int64, err error) {
	began := time.Now()
	until := began.Add(x.during)
	var group sync.WaitGroup
	var done atomic.Int64
	errs := make([]error, len(conns))
	for i, c := range conns {
		group.Go(func() {
			var n int64
			n, errs[i] = c.pump(until, inFlight, next(i))
			done.Add(n)
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), done.Load(), errors.Join(errs...)
}

func (x *registryCloud) connects(n, buffer int) ([]*client, error) {
	all := make([]*client, n)
	errs := make([]error, n)
	var group sync.WaitGroup
	slots := make(chan struct{}, x.clients)
	for i := range all {
		slots <- struct{}{}
		group.Go(func() {
			all[i], errs[i] = x.connect(buffer)
			<-slots
		})
	}
	group.Wait()
	return all, errors.Join(errs...)
}

func closeClients(all []*client) {
	for _, c := range all {
		if c != nil {
			c.close()
		}
	}
}

// same is the same call again and again.
func same(kind, token, json string) func(int) func([]byte) []byte {
	message := appendPayload(nil, kind, token, json)
	return func(int) func([]byte) []byte { return func(b []byte) []byte { return append(b, message...) } }
}

// instance is what a client says to register one; no two are the same.
func instance(service string, ip, port int, metadata string) string {
	return `{"namespace":"public","serviceName":"` + service + `","groupName":"DEFAULT_GROUP","type":"registerInstance","instance":{` +
		`"ip":"10.` + strconv.Itoa(ip>>16&255) + `.` + strconv.Itoa(ip>>8&255) + `.` + strconv.Itoa(ip&255) + `","port":` + strconv.Itoa(port) +
		`,"weight":1.0,"enabled":true,"healthy":true,"ephemeral":true,"clusterName":"DEFAULT","serviceName":"` + service +
		`","metadata":{"version":"` + metadata + `"}},"module":"naming"}`
}

// rates measures registering, listing and reading.
func (x *registryCloud) rates() error {
	bare, err := x.bareGRPC()
	if err != nil {
		return err
	}
	conns, err := x.connects(registryConns, busyBuffer)
	defer closeClients(conns)
	if err != nil {
		return err
	}
	for i := range listedServices {
		for c := range 3 {
			if err := conns[c].ask("InstanceRequest", instance("list"+strconv.Itoa(i), c, 80, "1")); err != nil {
				return err
			}
		}
	}
	content := text(strings.Repeat("k=v\n", configBytes/4))
	if err := conns[0].ask("ConfigPublishRequest", `{"dataId":"read","group":"g","tenant":"","content":`+content+`}`); err != nil {
		return err
	}
	if err := x.getHTTP(); err != nil {
		return err
	}
	var number atomic.Int64
	register := func(conn int) func([]byte) []byte {
		return func(b []byte) []byte {
			n := int(number.Add(1))
			return appendPayload(b, "InstanceRequest", x.token, instance("s"+strconv.Itoa(n%registryServices), conn, 1+n%60000, strconv.Itoa(n)))
		}
	}
	list := func(int) func([]byte) []byte {
		return func(b []byte) []byte {
			n := int(number.Add(1))
			return appendPayload(b, "ServiceQueryRequest", x.token,
				`{"namespace":"public","serviceName":"list`+strconv.Itoa(n%listedServices)+`","groupName":"DEFAULT_GROUP","cluster":"","healthyOnly":false,"udpPort":0,"module":"naming"}`)
		}
	}
	for _, of := range []struct {
		what, wanted string
		next         func(int) func([]byte) []byte
	}{
		{"gRPC: get a config", "50000 requests/s", same("ConfigQueryRequest", x.token, `{"dataId":"read","group":"g","tenant":"","module":"config"}`)},
		{"gRPC: register an instance", "30000 requests/s", register},
		{"gRPC: list a service of 3 instances", "40000 requests/s", list},
	} {
		before := x.usage()
		rate, n, err := x.pumps(conns, registryInFlight, of.next)
		if err != nil {
			return fmt.Errorf("%s: %w", of.what, err)
		}
		x.add(fmt.Sprintf("%s, %d connections", of.what, registryConns), perSecond(rate, "requests"), of.wanted,
			"bare grpc-go "+bare+"; protoactor "+actorRate+"; "+x.others(before)+"; "+x.each(before, n))
	}
	return nil
}

// getHTTP measures reading a config as old clients do, beside a server that does
// nothing.
func (x *registryCloud) getHTTP() error {
	bare, err := x.bareHTTP()
	if err != nil {
		return err
	}
	before := x.usage()
	req := form(x.http, "GET", "/nacos/v1/cs/configs?dataId=read&group=g", "", "accessToken: "+x.token)
	rate, n, err := x.gets(x.http, req)
	if err != nil {
		return err
	}
	x.add(fmt.Sprintf("HTTP: get a config, %d connections", x.clients), perSecond(rate, "requests"), "50000 requests/s",
		"bare net/http "+bare+"; "+x.others(before)+"; "+x.each(before, n))
	return nil
}

// gets asks the same over and over with every client.
func (x *registryCloud) gets(address string, req []byte) (rate float64, n int64, err error) {
	began := time.Now()
	var group sync.WaitGroup
	var done atomic.Int64
	errs := make([]error, x.clients)
	for i := range x.clients {
		c, err := dial("http://" + address)
		if err != nil {
			return 0, 0, err
		}
		group.Go(func() {
			defer c.close()
			for time.Since(began) < x.during {
				status, body, err := c.do(req)
				if err != nil || status != http.StatusOK {
					errs[i] = fmt.Errorf("status %d: %.200s: %w", status, body, err)
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), done.Load(), errors.Join(errs...)
}

// bareHTTP is what net/http does by itself with the same clients.
func (x *registryCloud) bareHTTP() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	body := []byte(strings.Repeat("k=v\n", configBytes/4))
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })}
	go func() { _ = s.Serve(l) }() // until it is closed
	defer s.Close()
	rate, _, err := x.gets(l.Addr().String(), form(l.Addr().String(), "GET", "/", ""))
	return perSecond(rate, "requests"), err
}

// publishes measures publishes, each of which is on the disk before it is answered.
func (x *registryCloud) publishes() error {
	if storeRate == "" || actorRate == "" {
		if err := raw(x.run); err != nil {
			return err
		}
	}
	conns, err := x.connects(registryConns, busyBuffer)
	defer closeClients(conns)
	if err != nil {
		return err
	}
	alone, err := commits(x.ctx, filepath.Join(x.dir, "raw-publish.db"), registryConns*publishInFlight, x.during)
	if err != nil {
		return err
	}
	value := strings.Repeat("k=v\\n", configBytes/4)
	before := x.usage()
	rate, n, err := x.pumps(conns, publishInFlight, func(conn int) func([]byte) []byte {
		n := 0
		return func(b []byte) []byte {
			n++
			return appendPayload(b, "ConfigPublishRequest", x.token, `{"dataId":"p`+strconv.Itoa(conn)+`-`+strconv.Itoa(n%publishInFlight)+
				`","group":"g","tenant":"","content":"n=`+strconv.Itoa(n)+`\n`+value+`","module":"config"}`)
		}
	})
	if err != nil {
		return err
	}
	x.add(fmt.Sprintf("gRPC: publish a config, durable, %d at once", registryConns*publishInFlight), perSecond(rate, "publishes"), "10000 publishes/s",
		"store alone "+perSecond(alone, "commits")+"; "+x.others(before)+"; "+x.each(before, n))
	return nil
}
