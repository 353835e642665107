package eureka

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/e2e/clients/cloud"
)

// kinds are the clients. Each makes a client with an instance of its own.
var kinds = []struct {
	name string
	node bool
	make func(*testing.T, *cloud.Cloud, server) client
}{
	{"fargo 1.4.0, XML", false, func(t *testing.T, c *cloud.Cloud, s server) client { return newFargo(t, c, s, false) }},
	{"fargo 1.4.0, JSON", false, func(t *testing.T, c *cloud.Cloud, s server) client { return newFargo(t, c, s, true) }},
	{"eureka-js-client 4.5.0", true, func(t *testing.T, c *cloud.Cloud, s server) client { return newNode(t, c, s, false) }},
}

func TestClients(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			if k.node {
				cloud.NeedNode(t)
			}
			s := &script{t, cloud.New(t), k.make}
			s.naming()
			s.expiry()
			s.restart()
		})
	}
}

// script is a test of one kind of client against a cloud of its own.
type script struct {
	*testing.T
	cloud *cloud.Cloud
	make  func(*testing.T, *cloud.Cloud, server) client
}

func (s *script) open(app string, n int) client {
	return s.make(s.T, s.cloud, server{
		app: app, host: fmt.Sprintf("h%d", n), ip: fmt.Sprintf("10.0.0.%d", n), port: 8000 + n, metadata: map[string]string{"zone": "a", "n": fmt.Sprint(n)},
	})
}

func (s *script) register(c client) {
	s.Helper()
	if err := c.register(); err != nil {
		s.Fatal(err)
	}
}

// sees waits until a client sees just these instances of an app, with a status.
func (s *script) sees(c client, app, status string, want ...int) {
	s.Helper()
	var last []seen
	var err error
	defer func() {
		if s.Failed() {
			s.Logf("the last it saw of %s is %+v, %v", app, last, err)
		}
	}()
	await(s.T, fmt.Sprintf("%v of %s, %s", want, app, status), func() bool {
		last, err = c.list(app)
		if err != nil || len(last) != len(want) {
			return false
		}
		for _, n := range want {
			found := false
			for _, i := range last {
				found = found || i.IP == fmt.Sprintf("10.0.0.%d", n) && i.Port == 8000+n && i.Status == status && i.Metadata["n"] == fmt.Sprint(n)
			}
			if !found {
				return false
			}
		}
		return true
	})
}

// nacos waits until Nacos' clients are told of an address, or not any more.
func (s *script) nacos(service, ip string, want bool) {
	s.Helper()
	await(s.T, fmt.Sprintf("Nacos sees %s in %s: %v", ip, service, want), func() bool { return nacosSees(s.cloud, service, ip) == want })
}

// naming: what one client registers and cancels another sees, and so does Nacos; and
// the other way round.
func (s *script) naming() {
	const app = "ORDERS"
	one, two, watcher := s.open(app, 1), s.open(app, 2), s.open("WATCHER", 9)
	s.register(watcher)
	s.register(one)
	s.register(two)
	s.sees(watcher, app, "UP", 1, 2)
	s.nacos(app, "10.0.0.1", true)

	if status, body := s.cloud.Ask("PUT", "/eureka/v2/apps/ORDERS/h2:ORDERS/status?value=OUT_OF_SERVICE"); status != http.StatusOK {
		s.Fatal(status, body)
	}
	await(s.T, "one out of service", func() bool {
		all, _ := watcher.list(app)
		return len(all) == 2 && all[0].Status != all[1].Status
	})
	s.nacos(app, "10.0.0.2", false)
	if status, body := s.cloud.Ask("DELETE", "/eureka/v2/apps/ORDERS/h2:ORDERS/status?value=UP"); status != http.StatusOK {
		s.Fatal(status, body)
	}
	s.sees(watcher, app, "UP", 1, 2)

	if status, body := s.cloud.Ask("POST", "/nacos/v1/ns/instance?serviceName=stock&ip=10.0.0.7&port=8007&ephemeral=false&metadata=n%3D7"); status != http.StatusOK {
		s.Fatal(status, body)
	}
	await(s.T, "what Nacos registered", func() bool {
		all, err := watcher.list("STOCK")
		return err == nil && len(all) == 1 && all[0].IP == "10.0.0.7" && all[0].Metadata["n"] == "7"
	})

	if err := two.cancel(); err != nil {
		s.Fatal(err)
	}
	s.sees(watcher, app, "UP", 1)
	s.nacos(app, "10.0.0.2", false)
	if err := one.cancel(); err != nil {
		s.Fatal(err)
	}
	s.sees(watcher, app, "")
	one.kill()
	two.kill()
	watcher.kill()
}

// expiry: who dies without a word goes when its lease is over, and nobody else.
func (s *script) expiry() {
	const app = "MORTAL"
	lives, dies, watcher := s.open(app, 3), s.open(app, 4), s.open("WATCHER", 9)
	s.register(watcher)
	s.register(lives)
	s.register(dies)
	s.sees(watcher, app, "UP", 3, 4)
	dies.kill()
	s.sees(watcher, app, "UP", 3)
	s.nacos(app, "10.0.0.4", false)
	s.nacos(app, "10.0.0.3", true)
	lives.kill()
	watcher.kill()
}

// restart: the node is killed and started again, and nobody tells the clients what to
// do.
func (s *script) restart() {
	const app = "PHOENIX"
	lives, dies, watcher := s.open(app, 5), s.open(app, 6), s.open("WATCHER", 9)
	s.register(watcher)
	s.register(lives)
	s.register(dies)
	s.sees(watcher, app, "UP", 5, 6)
	s.cloud.Kill()
	dies.kill() // nobody renews what it registered; the other is to be kept
	s.cloud.Start()
	s.sees(watcher, app, "UP", 5)
	s.nacos(app, "10.0.0.5", true)
	late := s.open(app, 7)
	s.register(late)
	s.sees(watcher, app, "UP", 5, 7)
	if err := lives.cancel(); err != nil {
		s.Fatal(err)
	}
	s.sees(watcher, app, "UP", 7)
	// What is told of itself to a client that has seen all of this is right in the end.
	if status, body := s.cloud.Ask("GET", "/eureka/apps/delta"); status != http.StatusOK || !strings.Contains(body, "<apps__hashcode>UP_") {
		s.Errorf("%d %s", status, body)
	}
}
