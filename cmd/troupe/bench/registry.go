package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
)

// Sizes of what is measured of the registry.
const (
	registryConns    = 16    // connections of gRPC for rates, each with so many in flight:
	registryInFlight = 16    // calls
	publishInFlight  = 64    // publishes, which wait for a commit
	registryServices = 4096  // that instances are registered in
	listedServices   = 256   // that are listed
	subscribers      = 1000  // to one service
	changes          = 300   // of it: a hundredth of them is more than one
	listeners        = 10000 // to one key, by long polls
	crowd            = 10000 // connections of gRPC
	crowdInstances   = 10    // of each
	crowdServices    = 1000  // over all
	configBytes      = 100   // of a content
)

// registryCloud is a cloud with a registry, and where it answers.
type registryCloud struct {
	*run
	http, grpc string // host:port
	token      string
}

// registry measures the registry and the configuration: in a cloud of its own, with
// authentication as it is by default.
func registry(r *run) error {
	x, err := r.startRegistry("registry")
	if err != nil {
		return err
	}
	for _, measure := range []func() error{x.publishes, x.rates} {
		if err := measure(); err != nil {
			return err
		}
	}
	return r.ends()
}

// registryChanges measures how long changes take to those who wait for them, in a
// cloud of its own too.
func registryChanges(r *run) error {
	x, err := r.startRegistry("changes")
	if err != nil {
		return err
	}
	if err := errors.Join(x.subscribed(), x.polled()); err != nil {
		return err
	}
	return r.ends()
}

// manyClients measures what many connections cost, in another cloud.
func manyClients(r *run) error {
	x, err := r.startRegistry("crowd")
	if err != nil {
		return err
	}
	if err := x.crowd(); err != nil {
		return err
	}
	return r.ends()
}

// ends ends the cloud that is measured, if there is one.
func (r *run) ends() error {
	if r.cloud == nil {
		return nil
	}
	err := r.cloud.stop()
	r.cloud = nil
	return err
}

// startRegistry starts a cloud with a registry in place of the one there was, and
// logs in.
func (r *run) startRegistry(name string, more ...string) (*registryCloud, error) {
	if err := r.ends(); err != nil {
		return nil, err
	}
	x := &registryCloud{run: r}
	var err error
	r.cloud, err = start(filepath.Join(r.dir, name), os.Environ(), append([]string{"dev", "--driver", "sim", "--sim-hosts", "1",
		"--data", filepath.Join(r.dir, name), "--listen", "127.0.0.1:0", "--registry-listen", "127.0.0.1:0", "--log-level", "warn"}, more...)...)
	if err != nil {
		return nil, err
	}
	x.http = r.cloud.registry
	host, port, err := net.SplitHostPort(x.http)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	x.grpc = net.JoinHostPort(host, strconv.Itoa(n+1000))
	return x, x.login()
}

// login gets a token as the administrator.
func (x *registryCloud) login() error {
	who, _, _, err := clouds.Parse(clouds.WithCloudName("troupe"), clouds.WithLocations(filepath.Join(x.home(), "clouds.yaml")))
	if err != nil {
		return err
	}
	c, err := dial("http://" + x.http)
	if err != nil {
		return err
	}
	defer c.close()
	var answer struct{ AccessToken string }
	if err := c.get(form(x.http, "POST", "/nacos/v1/auth/login", url.Values{"username": {who.Username}, "password": {who.Password}}.Encode()), &answer); err != nil {
		return err
	}
	x.token = answer.AccessToken
	return nil
}

// form renders a request of HTTP with parameters, to be sent many times.
func form(address, method, path, body string, headers ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, address)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return []byte(b.String())
}

// text is JSON of a string.
func text(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be encoded
	}
	return string(raw)
}
