package membership_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

// The checks below are those that made this package necessary: protoactor's own
// Consul provider fails each of them, and this package passes.

// shippedAt is set for the process that runs the shipped provider: it leaves
// goroutines behind, so it gets a process of its own. Its value is Consul's address.
const shippedAt = "TROUPE_TEST_SHIPPED_PROVIDER"

func TestMain(m *testing.M) {
	if at := os.Getenv(shippedAt); at != "" {
		runShipped(at, os.Stdin, os.Stdout)
		os.Exit(0)
	}
	leaktest.Main(m)
}

// shipped is that process, asked line by line.
type shipped struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startShipped(t *testing.T, consul string) *shipped {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), shippedAt+"="+consul)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &shipped{t, in, bufio.NewScanner(out)}
}

// ask has the process do something, and returns whether the shipped provider
// passed, or true where there is nothing to pass.
func (s *shipped) ask(what string) bool {
	s.t.Helper()
	if _, err := fmt.Fprintln(s.in, what); err != nil {
		s.t.Fatal(err)
	}
	for s.out.Scan() {
		switch line := s.out.Text(); line {
		case what + " passed":
			return true
		case what + " failed":
			return false
		default:
			s.t.Log("shipped: ", line)
		}
	}
	s.t.Fatalf("the process of the shipped provider ended at %q", what)
	return false
}

func TestShippedProviderFailsAndOursDoesNot(t *testing.T) {
	if testing.Short() {
		t.Skip("takes real time")
	}
	t.Parallel()
	c := consultest.Start(t, consultest.Options{})
	theirs := startShipped(t, c.Addr())
	h, root := newHub(), prefix()
	var tables []*membership.Consul
	var ours []*node
	start := func(name string, onView func(n *node, v *view.View)) *node {
		t.Helper()
		tables = append(tables, table(t, c, root))
		n := h.node(t, tables[len(tables)-1], name)
		config := n.config()
		config.OnView = func(v *view.View) { onView(n, v) }
		var err error
		if n.m, err = membership.New(config); err != nil {
			t.Fatal(err)
		}
		h.put(name+":1", n.m)
		if err := n.m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ours = append(ours, n)
		return n
	}
	atOnce := func(n *node, v *view.View) { n.m.Released(v.Index) }
	start("a", atOnce)
	start("b", atOnce)
	eventually(t, "two are together", func() bool { return together(ours...) })
	if !theirs.ask("start") {
		t.Fatal("the shipped provider does not start")
	}

	t.Run("leaving drains before it deregisters", func(t *testing.T) {
		if theirs.ask("leave") {
			t.Error("the shipped provider has learned to drain first")
		}
		handing := make(chan struct{})
		leaver := start("leaver", func(n *node, v *view.View) {
			if self, _ := v.ByID(n.m.Self().ID); self.Leaving {
				<-handing
			}
			n.m.Released(v.Index)
		})
		eventually(t, "three are together", func() bool { return together(ours...) })
		id, left := leaver.m.Self().ID, make(chan error)
		go func() { left <- leaver.m.Leave(t.Context()) }()
		leaving := func() bool { m, ok := ours[0].m.View().ByID(id); return ok && m.Leaving }
		eventually(t, "the others know", leaving)
		// While its grains are still at work, others change the table and see it changed.
		for _, host := range []string{"h1", "h2"} {
			if err := ours[0].m.SetHosts(t.Context(), []string{host}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "that is seen", func() bool {
				m, _ := ours[1].m.View().ByName("a")
				return slices.Equal(m.Hosts, []string{host})
			})
		}
		if v, err := tables[0].Read(t.Context()); err != nil || !v.Has(id) {
			t.Errorf("deregistered before it was drained: %v", err)
		}
		close(handing)
		if err := <-left; err != nil {
			t.Error(err)
		}
		ours = ours[:2]
		eventually(t, "two go on", func() bool { return together(ours...) })
	})

	t.Run("the watch goes on when Consul does", func(t *testing.T) {
		// Down for longer than the first pause of the shipped watch, 5 s.
		c.Kill(0)
		if !theirs.ask("outlast the first retry") {
			t.Fatal("no outage was noticed")
		}
		if err := c.Launch(0); err != nil {
			t.Fatal(err)
		}
		if err := c.WaitLeader(t.Context()); err != nil {
			t.Fatal(err)
		}
		theirs.ask("join another")
		began := time.Now()
		start("c", atOnce)
		eventually(t, "ours see the new member", func() bool { return together(ours...) })
		t.Logf("ours: all see a member that joined after the outage, and are stable, after %v", time.Since(began))
		if theirs.ask("see it") {
			t.Error("the shipped provider has learned to watch again at once")
		}
	})

	t.Run("who was forgotten registers again", func(t *testing.T) {
		before := ids(ours)
		if err := c.Wipe(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "ours have registered again", func() bool { return renewed(before, ours) && together(ours...) })
		if theirs.ask("register again") {
			t.Error("the shipped provider has learned to register again")
		}
	})

	t.Run("nothing is left", func(t *testing.T) {
		if theirs.ask("shut down") {
			t.Error("the shipped provider has learned to end its goroutines")
		}
		for _, n := range ours {
			if err := n.m.Leave(t.Context()); err != nil {
				t.Error(err)
			}
		}
		for _, table := range tables {
			table.Close()
		}
		// TestMain looks for what ours have left behind, here and in every other test.
	})
}
