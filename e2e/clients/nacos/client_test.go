package nacos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/e2e/clients/cloud"
)

const (
	kindNode = "npm nacos 2.6.3"

	// patience is how long anything may take: clients poll every 10 s, and wait
	// before they try again.
	patience = 90 * time.Second
	// look is how often what tells nobody of its changes is looked at.
	look = 200 * time.Millisecond
)

// client is a process that drives one of the clients.
type client struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	log   string // file with what it prints
	gone  chan struct{}

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	seen    map[string]answer // the last change of each service and key
	changed chan struct{}     // closed with each change
}

// open starts a client; what it refuses is an error.
func open(t *testing.T, a access) (*client, error) {
	t.Helper()
	a.Dir = t.TempDir()
	c := &client{
		t: t, log: filepath.Join(a.Dir, "client.log"), gone: make(chan struct{}),
		waiting: map[int]chan answer{}, seen: map[string]answer{}, changed: make(chan struct{}),
	}
	c.cmd = cloud.Mortal(os.Args[0])
	if a.Kind == kindNode {
		c.cmd = cloud.Node(t)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Dir = a.Dir
	c.cmd.Env = append(c.cmd.Env, accessVariable+"="+string(raw),
		// All processes of a machine share one config client of npm nacos, with the
		// credentials of the first, unless each is told another port to meet at.
		"NODE_CLUSTER_CLIENT_PORT="+cloud.FreePort(t))
	return c, c.start()
}

func (c *client) start() error {
	log, err := os.Create(c.log)
	if err != nil {
		return err
	}
	defer log.Close()
	c.cmd.Stderr = log
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	c.t.Cleanup(c.kill)
	lines := bufio.NewReader(stdout)
	first, err := read(lines)
	go c.hear(lines)
	if err == nil && first.Error != "" {
		err = errors.New(first.Error)
	}
	return err
}

func read(lines *bufio.Reader) (a answer, err error) {
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("%q: %w", line, err)
	}
	return a, nil
}

// hear takes what the client says until it ends.
func (c *client) hear(lines *bufio.Reader) {
	defer close(c.gone)
	for {
		a, err := read(lines)
		if err != nil {
			_ = c.cmd.Wait()
			return
		}
		c.mu.Lock()
		if a.ID == 0 {
			c.seen[a.Service+a.Key] = a
			close(c.changed)
			c.changed = make(chan struct{})
		} else if w := c.waiting[a.ID]; w != nil {
			delete(c.waiting, a.ID)
			w <- a
		}
		c.mu.Unlock()
	}
}

// kill is kill -9: a client that says no goodbye.
func (c *client) kill() {
	_ = c.cmd.Process.Kill()
	<-c.gone
	cloud.LogEnd(c.t, "the client", c.log)
}

// try gives an order; what comes of it may be an error.
func (c *client) try(r request) (answer, error) {
	w := make(chan answer, 1)
	c.mu.Lock()
	c.last++
	r.ID = c.last
	c.waiting[r.ID] = w
	c.mu.Unlock()
	raw, err := json.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	if _, err := c.stdin.Write(append(raw, '\n')); err != nil {
		return answer{}, err
	}
	select {
	case a := <-w:
		if a.Error != "" {
			return a, fmt.Errorf("%s: %s", r.Do, a.Error)
		}
		return a, nil
	case <-c.gone:
		return answer{}, fmt.Errorf("%s: the client has ended", r.Do)
	case <-time.After(patience):
		return answer{}, fmt.Errorf("%s: no answer", r.Do)
	}
}

// do gives an order that has to be done.
func (c *client) do(r request) answer {
	c.t.Helper()
	a, err := c.try(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// await waits until what the client was last told of a service or a key is right.
func (c *client) await(of, what string, right func(answer) bool) {
	c.t.Helper()
	late := time.After(patience)
	for {
		c.mu.Lock()
		a, changed := c.seen[of], c.changed
		c.mu.Unlock()
		if right(a) {
			return
		}
		select {
		case <-changed:
		case <-c.gone:
			c.t.Fatalf("%s: the client has ended", what)
		case <-late:
			c.t.Fatalf("%s: never seen; the last it heard is %+v", what, a)
		}
	}
}

// awaitOrder gives an order again and again until what comes of it is right.
func (c *client) awaitOrder(r request, what string, right func(answer, error) bool) {
	c.t.Helper()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for late := time.Now().Add(patience); ; {
		a, err := c.try(r)
		if right(a, err) {
			return
		}
		if time.Now().After(late) {
			c.t.Fatalf("%s: never seen; the last is %+v, %v", what, a, err)
		}
		<-ticker.C
	}
}
