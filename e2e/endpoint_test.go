package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/drivers/libvirt/flatnet"
)

// guestPage has a guest serve, as its page, its name and a config that its server
// names, and go on waiting for changes of it. The page also says how far the guest
// gets: to the ports of the node's APIs (10.77.0.1 is the gateway of realNet), and out.
const guestPage = `#!/bin/sh
reach=
for port in %s; do
  timeout 5 wget -q -O /dev/null http://10.77.0.1:$port/ && reach="$reach, reaches port $port"
done
ip route | grep -q ^default && reach="$reach, has a way out"
config=http://169.254.169.254/openstack/latest/troupe/config/shop/page
md5=
while :; do
  if timeout 40 wget -q -O /run/new "$config?wait=25&md5=$md5"; then
    md5=$(md5sum </run/new | cut -c1-32)
    echo "$(hostname) says $(cat /run/new)$reach" >/run/page && mv /run/page /run/www/index.html
  else
    sleep 1
  fi
done
`

// TestMachinesAreEndpoints: two real machines of a scaling group are one service by
// their metadata, called through the proxy and by name. One dies: nobody who calls
// notices, and another takes its place.
func TestMachinesAreEndpoints(t *testing.T) {
	requireReal(t)
	address := freePair(t)
	s := &shop{t: t, real: newReal(t, "--registry-listen", address), address: address}
	s.registry = &registryUser{t: t, ctx: s.real.ctx, bases: []string{"http://" + address + "/nacos"}}
	s.registry.login(s.real.data)
	s.run("image", "create", "guest", "--file", s.real.image)
	s.publish("hello")
	s.createGroup()

	proxied, named := call(t, "through the proxy", s.throughProxy()), call(t, "by name", s.byName(t))
	named.until("both machines serve", func(c *calls) bool { return c.guests["web-1"] && c.guests["web-2"] })
	s.publish("again")
	for _, c := range []*calls{proxied, named} {
		c.until("the changed config is served", func(c *calls) bool { return c.text == "again" })
	}

	victim := proxied.last() // which calls go to
	id := s.kill(victim)
	s.listed("the entry of "+victim+" is gone", func(healthy map[string]bool) bool { _, there := healthy[id]; return !there })
	named.until("the new machine serves", func(c *calls) bool { return c.guests["web-3"] })
	s.listed("two serve, and the dead one is not among them", func(healthy map[string]bool) bool {
		well := 0
		for instance, is := range healthy {
			if is && instance != id {
				well++
			}
		}
		return well == 2 && len(healthy) == 2
	})
	proxied.end()
	named.end()
}

// shop is a cloud with a scaling group of real machines.
type shop struct {
	t        *testing.T
	real     *real
	registry *registryUser
	address  string // of the registry
}

// publish changes the config that the machines serve.
func (s *shop) publish(text string) {
	s.t.Helper()
	s.registry.want("true", 0, "POST", "/v2/cs/config", url.Values{
		"dataId": {"page"}, "group": {"shop"}, "content": {text}, "configTags": {"troupe.projects=" + s.real.projectID(s.t)},
	})
}

// createGroup makes two machines by the commands that a user has, and waits until both
// are in use: until the registry finds them healthy.
func (s *shop) createGroup() {
	s.t.Helper()
	_, api, _ := strings.Cut(s.real.ready, "http://127.0.0.1:")
	api, _, _ = strings.Cut(api, " ")
	_, registry, _ := net.SplitHostPort(s.address)
	userData := filepath.Join(s.t.TempDir(), "page.sh")
	if err := os.WriteFile(userData, fmt.Appendf(nil, guestPage, api+" "+registry), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run("group", "create", "web", "--size", "2", "--image", "guest", "--flavor", "t1.micro", "--user-data", userData,
		"--property", "troupe:service=web:80", "--property", "troupe:check=http:/", "--property", "troupe:config=page@shop",
		"--unhealthy-after", "15s", "--wait", "--timeout", guestTime.String())
}

// run is a command of troupe's that has to go well.
func (s *shop) run(args ...string) string {
	s.t.Helper()
	out, err := s.real.run(s.real.ctx, binary, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// kill is kill -9 of the QEMU of a machine of that name, whose id it returns.
func (s *shop) kill(name string) (id string) {
	s.t.Helper()
	out := s.run("server", "show", name, "-o", "json")
	var server struct{ ID string }
	if err := json.Unmarshal([]byte(out), &server); err != nil {
		s.t.Fatal(err, out)
	}
	found, err := filepath.Glob(filepath.Join(s.real.node.Dir, "n/run/qemu/*"+server.ID+"*.pid"))
	if err != nil || server.ID == "" || len(found) != 1 {
		s.t.Fatalf("process of %s: %v, %v", name, found, err)
	}
	raw, err := os.ReadFile(found[0])
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return server.ID
}

// listed waits until the registry lists the servers like that: by instance, whether
// it is healthy.
func (s *shop) listed(what string, ok func(healthy map[string]bool) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.real.ctx, guestTime)
	defer cancel()
	err := eventually(ctx, what, func() (bool, error) {
		body, err := s.registry.do(0, "GET", "/v1/ns/instance/list?serviceName=web", nil)
		if err != nil {
			return false, err
		}
		var list struct {
			Hosts []struct {
				Healthy  bool
				Metadata map[string]string
			}
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			return false, err
		}
		healthy := map[string]bool{}
		for _, h := range list.Hosts {
			healthy[h.Metadata["troupe.instance"]] = h.Healthy
		}
		return ok(healthy), fmt.Errorf("listed are %v", healthy)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// throughProxy asks as any program may that is not on the machines' network.
func (s *shop) throughProxy() func(context.Context) (*http.Response, error) {
	return func(ctx context.Context) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/proxy/public/DEFAULT_GROUP/web/", nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+s.registry.token)
		return http.DefaultClient.Do(r)
	}
}

// byName asks as a program that is on the machines' network, by the balancer.
func (s *shop) byName(t *testing.T) func(context.Context) (*http.Response, error) {
	inside := &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, connectTime)
		defer cancel()
		return flatnet.DialInside(ctx, s.real.node.Namespace, to)
	}}
	services := &balancer.Services{Source: &balancer.Troupe{Servers: []string{"http://" + s.address}, Token: s.registry.token}}
	t.Cleanup(func() {
		services.Close()
		inside.CloseIdleConnections()
	})
	client := &http.Client{Transport: &balancer.Transport{Services: services, Base: inside, AnswerTime: answerTime}}
	return func(ctx context.Context) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://web/", nil)
		if err != nil {
			return nil, err
		}
		return client.Do(r)
	}
}

// Times of those who call. Machines are emulated, and may be slow.
const (
	guestTime   = 5 * time.Minute  // for a machine to boot, or whatever else is waited for
	connectTime = 2 * time.Second  // as the proxy's
	answerTime  = 15 * time.Second // after which another machine is asked
	callPause   = 100 * time.Millisecond
)
