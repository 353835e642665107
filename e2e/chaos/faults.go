package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/troupe-cloud/troupe/cluster/peer"
)

// fault is one thing that goes wrong, and is well again when do returns.
type fault struct {
	name string
	do   func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error
}

// faults, with how long each lasts in units of scale: a bounded run takes a short
// one, a long run a long one.
var faults = []fault{
	{"kill -9 of a node", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		n := c.anyNode(dice)
		n.kill()
		sleep(ctx, between(dice, scale, 4*scale))
		return n.start()
	}},
	{"kill -9 of a node, started again at once", func(_ context.Context, c *cloud, dice *rand.Rand, _ time.Duration) error {
		n := c.anyNode(dice)
		n.kill()
		return n.start()
	}},
	{"a node is paused (SIGSTOP), then goes on", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		n := c.anyNode(dice)
		n.signal(syscall.SIGSTOP)
		sleep(ctx, between(dice, scale, 6*scale))
		n.signal(syscall.SIGCONT)
		return nil
	}},
	{"a node cut off from the other nodes", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		n := c.anyNode(dice)
		return c.cut(ctx, between(dice, scale, 4*scale), func() error {
			var all []error
			for _, other := range c.nodes {
				if other != n {
					all = append(all, c.lab.Cut(n.Host, other.Host))
				}
			}
			return errors.Join(all...)
		})
	}},
	{"two nodes cut off from each other", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		i := dice.IntN(members)
		return c.cut(ctx, between(dice, scale, 4*scale), func() error {
			return c.lab.Cut(c.nodes[i].Host, c.nodes[(i+1)%members].Host)
		})
	}},
	{"a node cut off from Consul", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		n := c.anyNode(dice)
		return c.cut(ctx, between(dice, scale, 4*scale), func() error {
			var all []error
			for _, s := range c.consuls {
				all = append(all, c.lab.Cut(n.Host, s.Host))
			}
			return errors.Join(all...)
		})
	}},
	{"what a node sends to the other nodes is lost", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		return c.cutOneWay(ctx, dice, scale, func(n, other *machine) error { return c.lab.CutOneWay(n.Host, other.Host) })
	}},
	{"what the other nodes send to a node is lost", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		return c.cutOneWay(ctx, dice, scale, func(n, other *machine) error { return c.lab.CutOneWay(other.Host, n.Host) })
	}},
	{"Consul's leader is killed", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		leader, err := c.leader(ctx)
		if err != nil {
			return err
		}
		leader.kill()
		sleep(ctx, between(dice, 2*scale, 4*scale))
		return leader.start()
	}},
	{"all of Consul is restarted", func(_ context.Context, c *cloud, _ *rand.Rand, _ time.Duration) error {
		return c.restartConsul(context.Background(), 0)
	}},
	{"all of Consul is down", func(ctx context.Context, c *cloud, _ *rand.Rand, scale time.Duration) error {
		return c.restartConsul(ctx, min(6*scale, 30*time.Second))
	}},
	{"a node's disk is full", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		n := c.anyNode(dice)
		ballast := filepath.Join(c.dir, n.Name, "ballast")
		if err := fill(ballast); err != nil {
			return err
		}
		sleep(ctx, between(dice, scale, 3*scale))
		return os.Remove(ballast)
	}},
	{"a node's clock jumps, by up to 25 s", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		return c.jump(ctx, dice, between(dice, 3*time.Second, peer.MaxClockSkew-5*time.Second), between(dice, scale, 4*scale))
	}},
	{"a node's clock jumps far ahead or back", func(ctx context.Context, c *cloud, dice *rand.Rand, scale time.Duration) error {
		// Users' tokens last half a day, the registry's five hours.
		return c.jump(ctx, dice, between(dice, time.Minute, 4*time.Hour), between(dice, scale, 4*scale))
	}},
	{"a node leaves in order and comes back", func(_ context.Context, c *cloud, dice *rand.Rand, _ time.Duration) error {
		n := c.anyNode(dice)
		if err := n.stop(); err != nil {
			return err
		}
		return n.start()
	}},
	{"rolling restart of all nodes", func(ctx context.Context, c *cloud, _ *rand.Rand, scale time.Duration) error {
		for _, n := range c.nodes {
			if err := n.stop(); err != nil {
				return err
			}
			if err := n.start(); err != nil {
				return err
			}
			sleep(ctx, scale)
		}
		return nil
	}},
}

func (c *cloud) anyNode(dice *rand.Rand) *machine { return c.nodes[dice.IntN(members)] }

func between(dice *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(dice.Int64N(int64(max(high-low, 1))))
}

// cut cuts, waits and heals.
func (c *cloud) cut(ctx context.Context, d time.Duration, do func() error) error {
	err := do()
	sleep(ctx, d)
	return errors.Join(err, c.lab.Heal())
}

// cutOneWay has cut take away what goes one way between some node and each other one.
func (c *cloud) cutOneWay(ctx context.Context, dice *rand.Rand, scale time.Duration, cut func(n, other *machine) error) error {
	n := c.anyNode(dice)
	return c.cut(ctx, between(dice, scale, 4*scale), func() error {
		var all []error
		for _, other := range c.nodes {
			if other != n {
				all = append(all, cut(n, other))
			}
		}
		return errors.Join(all...)
	})
}

func (c *cloud) restartConsul(ctx context.Context, down time.Duration) error {
	for _, m := range c.consuls {
		m.kill()
	}
	sleep(ctx, down)
	var all []error
	for _, m := range c.consuls {
		all = append(all, m.start())
	}
	return errors.Join(all...)
}

// fill writes a file until its file system is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	chunk := make([]byte, 1<<20)
	for range 2 * diskMiB {
		if _, err := f.Write(chunk); err != nil {
			for len(chunk) > 1 { // the last bytes too
				chunk = chunk[:len(chunk)/2]
				_, _ = f.Write(chunk)
			}
			return nil
		}
	}
	return fmt.Errorf("%s: the file system has no end", path)
}

// jump sets a node's clock ahead or back for a while; the other nodes' go on.
func (c *cloud) jump(ctx context.Context, dice *rand.Rand, ahead, d time.Duration) error {
	node := dice.IntN(members)
	if dice.IntN(2) == 0 {
		ahead = -ahead
	}
	if err := c.nodes[node].setClock(ahead); err != nil {
		return err
	}
	if err := c.shows(ctx, node, ahead); err != nil {
		return err
	}
	sleep(ctx, d)
	return c.nodes[node].setClock(0)
}

// shows makes sure that the clock by which a node dates its answers has jumped.
func (c *cloud) shows(ctx context.Context, node int, ahead time.Duration) error {
	const second = time.Second // dates have no fractions
	asked := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d/healthz", c.nodes[node].IP, apiPort), nil)
	if err != nil {
		return err
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if told := date.Add(-ahead); err != nil || told.Before(asked.Add(-2*second)) || told.After(time.Now().Add(2*second)) {
		return fmt.Errorf("%s was set ahead by %v and says %v, at %v: %w", c.nodes[node].Name, ahead, date, asked, err)
	}
	return nil
}
