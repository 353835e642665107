package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/consultest"
)

const clusterNodes = 3

// trio is a Consul server and three nodes on loopback.
type trio struct {
	t      *testing.T
	consul *consultest.Cluster
	prefix string
	nodes  []*cloud
}

// newTrio starts them; more are further arguments of each.
func newTrio(t *testing.T, more ...[]string) *trio {
	t.Helper()
	return newTrioOf(t, "", more...)
}

// newTrioOf is newTrio with another program.
func newTrioOf(t *testing.T, program string, more ...[]string) *trio {
	t.Helper()
	c := &trio{t: t, consul: consultest.Start(t, consultest.Options{}), prefix: "troupe"}
	for i := range clusterNodes {
		n := &cloud{t: t, data: t.TempDir(), log: &tail{}, program: program}
		args := c.nodeArgs(fmt.Sprintf("node%d", i+1), n.data)
		if i < len(more) {
			args = append(args, more[i]...)
		}
		if i == 0 {
			c.troupe("cluster", "init", "--consul", c.address(), "--data", n.data, "--name", "node1")
		} else {
			args = append(args, "--join", strings.TrimSpace(c.troupe("cluster", "token", "create", "--consul", c.address(), "--data", c.nodes[0].data)))
		}
		n.args = args
		c.nodes = append(c.nodes, n)
		c.start(n)
	}
	t.Cleanup(func() {
		for i, n := range c.nodes {
			if err := n.stop(); err != nil {
				t.Errorf("stop node%d: %v", i+1, err)
			}
			if t.Failed() {
				t.Logf("the log of node%d ends with:\n%s", i+1, n.log)
			}
		}
	})
	return c
}

func (c *trio) address() string { return c.consul.Addr() + "/" + c.prefix }

func (c *trio) nodeArgs(name, data string) []string {
	return []string{"node", "--name", name, "--data", data, "--consul", c.address(), "--bind", freeAddress(c.t),
		"--listen", freeAddress(c.t), "--registry-listen", "off", "--driver", "sim", "--sim-hosts", "2"}
}

// freeAddress is one that nobody listens at: it has to stay the same when the
// process is started again.
func freeAddress(t *testing.T) string {
	t.Helper()
	ports, err := consultest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
}

func (c *trio) start(n *cloud) {
	c.t.Helper()
	if err := n.startWith(n.args); err != nil {
		c.t.Fatal(err)
	}
}

// troupe runs a command that has to succeed, and returns what it prints.
func (c *trio) troupe(args ...string) string {
	c.t.Helper()
	out, err := command(c.t.Context(), args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func command(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("troupe %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

// TestCluster has three nodes be one cloud: whichever is asked answers, also
// while another one is killed, and the unmodified client sees nothing of it.
func TestCluster(t *testing.T) {
	requireReal(t, "openstack")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := newTrio(t)
	c.upload(ctx)
	for i, n := range c.nodes {
		out, err := n.run(ctx, "openstack", strings.Fields(fmt.Sprintf("server create s%d --image empty --flavor t1.nano --network flat --wait -f json", i))...)
		if err != nil || !strings.Contains(out, `"ACTIVE"`) {
			t.Fatalf("through node%d: %v\n%s", i+1, err, out)
		}
	}
	killed := make(chan struct{})
	go func() { // while the clients below are at it
		defer close(killed)
		c.nodes[2].kill()
	}()
	for i, n := range c.nodes[:2] {
		for _, step := range []struct{ command, want string }{
			{"server list -f json", `"s2"`},
			{fmt.Sprintf("server create k%d --image empty --flavor t1.nano --network flat --wait -f json", i), `"ACTIVE"`},
			{fmt.Sprintf("server delete k%d --wait", i), ""},
			{"server show s2 -f json", `"ACTIVE"`},
		} {
			out, err := n.run(ctx, "openstack", strings.Fields(step.command)...)
			if err != nil || !strings.Contains(out, step.want) {
				t.Fatalf("%s through node%d: %v\n%s", step.command, i+1, err, out)
			}
		}
	}
	<-killed
	c.start(c.nodes[2])
	if err := eventually(ctx, "all are up again", func() (bool, error) {
		out, err := c.nodes[2].run(ctx, binary, "cluster", "status", "-o", "json")
		return err == nil && strings.Count(out, `"state": "up"`) == clusterNodes, fmt.Errorf("%v\n%s", err, out)
	}); err != nil {
		t.Error(err)
	}
	c.corrupt(ctx, t)
}

// upload makes an image, and returns its id.
func (c *trio) upload(ctx context.Context) string {
	c.t.Helper()
	p, err := c.nodes[0].login(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	glance, err := openstack.NewImageV2(p, gophercloud.EndpointOpts{})
	if err != nil {
		c.t.Fatal(err)
	}
	i, err := images.Create(ctx, glance, images.CreateOpts{Name: "empty", DiskFormat: "raw", ContainerFormat: "bare"}).Extract()
	if err == nil {
		err = imagedata.Upload(ctx, glance, i.ID, bytes.NewReader(make([]byte, 1<<20))).ExtractErr()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return i.ID
}

// corrupt edits the record of a server by hand into nonsense: it refuses to run,
// its log names the key, and the key is not touched.
func (c *trio) corrupt(ctx context.Context, t *testing.T) {
	t.Helper()
	nova, err := c.nodes[0].compute(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := servers.List(nova, servers.ListOpts{Name: "^s1$"}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found, err := servers.ExtractServers(pages)
	if err != nil || len(found) != 1 {
		t.Fatalf("s1: %v, %v", found, err)
	}
	kv := c.consul.Client(0).KV()
	keys, _, err := kv.Keys(c.prefix+"/", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	key := ""
	for _, k := range keys {
		if strings.Contains(k, "grain/instance/") && strings.Contains(k, found[0].ID) && (key == "" || len(k) < len(key)) {
			key = k
		}
	}
	if key == "" {
		t.Fatal("the server has no record")
	}
	if _, err := kv.Put(&api.KVPair{Key: key, Value: []byte("nonsense")}, nil); err != nil {
		t.Fatal(err)
	}
	for i, n := range c.nodes { // all of them once more: nobody has it in memory
		if err := n.stop(); err != nil {
			t.Fatalf("stop node%d: %v", i+1, err)
		}
	}
	for _, n := range c.nodes {
		c.start(n)
	}
	if nova, err = c.nodes[0].compute(ctx); err != nil {
		t.Fatal(err)
	}
	if err := eventually(ctx, "a server whose record is nonsense is an internal error", func() (bool, error) {
		_, err := servers.Get(ctx, nova, found[0].ID).Extract() // until all nodes agree it may be unavailable
		return gophercloud.ResponseCodeIs(err, http.StatusInternalServerError), err
	}); err != nil {
		t.Error(err)
	}
	logged := ""
	for _, n := range c.nodes {
		logged += n.log.String()
	}
	if !strings.Contains(logged, found[0].ID) {
		t.Errorf("the logs do not say which record is nonsense:\n%s", logged)
	}
	if pair, _, err := kv.Get(key, nil); err != nil || pair == nil || string(pair.Value) != "nonsense" {
		t.Errorf("the entry was touched: %v, %v", pair, err)
	}
	if _, err := kv.Delete(key, nil); err != nil {
		t.Error(err)
	}
}

// TestClusterRefuses starts nodes that cannot be: each ends with a sentence that
// says why.
func TestClusterRefuses(t *testing.T) {
	t.Parallel()
	c := newTrio(t)
	other := &trio{t: t, consul: c.consul, prefix: "other"}
	stranger := t.TempDir()
	other.troupe("cluster", "init", "--consul", other.address(), "--data", stranger, "--name", "node9")
	token := strings.TrimSpace(c.troupe("cluster", "token", "create", "--consul", c.address(), "--data", c.nodes[0].data))
	twin := t.TempDir()
	copyKeys(t, filepath.Join(c.nodes[1].data, "pki"), filepath.Join(twin, "pki"))
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"nobody at Consul's address", []string{"node", "--name", "n", "--data", stranger, "--consul", "127.0.0.1:1/troupe", "--bind", freeAddress(t)}, "127.0.0.1:1"},
		{"no certificate and no token", c.nodeArgs("n", t.TempDir()), "belongs to no cluster"},
		{"another name than the certificate's", c.nodeArgs("n", twin), "the certificate"},
		{"another cluster's certificate", c.nodeArgs("node9", stranger), "cluster"},
		{"the name of a live node", c.nodeArgs("node2", twin), "there is a member node2 already"},
		{"a token for a name that a live node has", append(c.nodeArgs("node2", t.TempDir()), "--join", token), "node2"},
		{"a token that is none", append(c.nodeArgs("n", t.TempDir()), "--join", "x.y.z"), "no join token"},
		{"a folder that is in use", c.nodeArgs("node1", c.nodes[0].data), "in use by another process"},
		{"an address that is not ours", []string{"node", "--name", "n", "--data", stranger, "--consul", c.address(), "--bind", "nonsense"}, "not HOST:PORT"},
		{"an address that others cannot dial", []string{"node", "--name", "n", "--data", stranger, "--consul", c.address(), "--bind", "0.0.0.0:7774"}, "--advertise"},
		{"a role that is none", append(c.nodeArgs("n", t.TempDir()), "--roles", "king"), "king"},
		{"a cluster where there is one", []string{"cluster", "init", "--consul", c.address(), "--data", t.TempDir(), "--name", "n"}, "holds cluster"},
	} {
		out, err := command(t.Context(), tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want a sentence with %q\n%s", tt.name, err, tt.want, out)
		}
	}
}

// copyKeys copies a folder of keys, which nobody else may read.
func copyKeys(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Chmod(filepath.Join(to, f.Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
