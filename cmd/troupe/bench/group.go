package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/cluster/consultest"
)

// readyPause is between two looks whether the cluster is whole.
const readyPause = 50 * time.Millisecond

// group is one Consul server and the nodes of a cluster, all processes of our own.
type group struct {
	consul  *consultest.Cluster
	address string // HOST:PORT/PREFIX, as --consul takes it
	members []*member
	spent   time.Duration // processor time of those that have ended
}

// member is one node, which may be ended and started again.
type member struct {
	*process // the latest; nil before the first
	name     string
	data     string
	args     []string
	env      []string
	up       bool
}

// newGroup starts Consul, and no node yet.
func newGroup(ctx context.Context, nodes int, dir string) (*group, error) {
	consul, err := consultest.New(ctx, consultest.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	return &group{consul: consul, members: make([]*member, nodes)}, nil
}

// found makes a new cluster in a folder of Consul, and starts its nodes, each with
// so many hosts.
func (g *group) found(ctx context.Context, dir, prefix string, hosts int) error {
	ports, err := consultest.FreePorts(2 * len(g.members))
	if err != nil {
		return err
	}
	g.address = g.consul.Addr() + "/" + prefix
	for i := range g.members {
		m := &member{name: fmt.Sprintf("node%d", i+1)}
		m.data = filepath.Join(dir, prefix, m.name)
		m.args = []string{
			"node", "--name", m.name, "--consul", g.address, "--data", m.data,
			"--bind", fmt.Sprintf("127.0.0.1:%d", ports[2*i]), "--listen", fmt.Sprintf("127.0.0.1:%d", ports[2*i+1]),
			"--driver", "sim", "--sim-hosts", strconv.Itoa(hosts), "--image-free", "0", "--registry-listen", "off", "--log-level", "warn",
		}
		for _, v := range os.Environ() { // what only one process can have reaches the first
			if i == 0 || !strings.HasPrefix(v, "TROUPE_PPROF=") {
				m.env = append(m.env, v)
			}
		}
		g.members[i] = m
	}
	if _, err := command(ctx, "cluster", "init", "--consul", g.address, "--data", g.members[0].data, "--name", g.members[0].name); err != nil {
		return err
	}
	for i, m := range g.members {
		if err := m.start(); err != nil {
			return err
		}
		if i > 0 {
			continue
		}
		token, err := g.token(ctx, len(g.members))
		if err != nil {
			return err
		}
		for _, other := range g.members[1:] {
			other.env = append(other.env, "TROUPE_JOIN="+token)
		}
	}
	return nil
}

// token admits so many nodes.
func (g *group) token(ctx context.Context, uses int) (string, error) {
	out, err := command(ctx, "cluster", "token", "create", "--consul", g.address, "--data", g.members[0].data, "--uses", strconv.Itoa(uses))
	return strings.TrimSpace(out), err
}

// command runs a command of this same program.
func command(ctx context.Context, args ...string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	var stderr bytes.Buffer
	c := exec.CommandContext(ctx, self, args...)
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("troupe %s: %w: %s", strings.Join(args[:2], " "), err, stderr.Bytes())
	}
	return string(out), nil
}

func (m *member) start(more ...string) (err error) {
	p, err := start(m.data, m.env, append(m.args[:len(m.args):len(m.args)], more...)...)
	if err == nil {
		m.process, m.up = p, true
	}
	return err
}

// end ends a node: in order, or as a crash would.
func (g *group) end(m *member, crash bool) error {
	if !m.up {
		return nil
	}
	used, _ := m.cpu() // it is only for the share that others had
	g.spent += used
	m.up = false
	if crash {
		m.kill()
		return nil
	}
	return m.stop()
}

// endAll ends the nodes in order, and leaves Consul.
func (g *group) endAll() error {
	var all []error
	for _, m := range g.members {
		if m == nil {
			continue
		}
		if err := g.end(m, false); err != nil {
			all = append(all, fmt.Errorf("%s: %w", m.name, err))
		}
	}
	return errors.Join(all...)
}

func (g *group) close() error {
	defer g.consul.Close()
	return g.endAll()
}

func (g *group) gateways() []string {
	all := make([]string, len(g.members))
	for i, m := range g.members {
		all[i] = m.base
	}
	return all
}

// cpu is the processor time of Consul and all nodes.
func (g *group) cpu() time.Duration { return g.consulCPU() + g.nodesCPU() }

func (g *group) consulCPU() (all time.Duration) {
	for _, pid := range g.consul.Processes() {
		used, _ := cpuOf(pid) // it may have ended just now
		all += used
	}
	return all
}

// nodesCPU counts those that have ended, too.
func (g *group) nodesCPU() time.Duration {
	all := g.spent
	for _, m := range g.members {
		if m != nil && m.up {
			used, _ := m.cpu()
			all += used
		}
	}
	return all
}

// whole waits until every node is up under one view, and that view is stable: all
// that moved has been handed over.
func (r *run) whole() error {
	c, err := dial(r.gateways()[0])
	if err != nil {
		return err
	}
	defer c.close()
	req := request("GET", c.base, "/troupe/v1/nodes", r.tokens, "")
	for {
		var answer struct {
			Nodes []struct {
				State  string
				View   uint64
				Stable uint64 `json:"stable_view"`
			}
		}
		if err := c.get(req, &answer); err != nil {
			return err
		}
		up := 0
		for _, n := range answer.Nodes {
			if n.State == "up" && n.View == n.Stable && n.View == answer.Nodes[0].View {
				up++
			}
		}
		if up == len(r.group.members) && up == len(answer.Nodes) {
			return nil
		}
		if err := r.pause(readyPause); err != nil {
			return err
		}
	}
}

// owner is the position of the node that an instance lives on.
func (r *run) owner(c *conn, id string) (int, error) {
	var answer struct{ Actor struct{ Node string } }
	if err := c.get(request("GET", c.base, "/troupe/v1/actors/instance/"+id, r.tokens, ""), &answer); err != nil {
		return 0, err
	}
	for i, m := range r.group.members {
		if m.name == answer.Actor.Node {
			return i, nil
		}
	}
	return 0, fmt.Errorf("instance %s lives on %q", id, answer.Actor.Node)
}
