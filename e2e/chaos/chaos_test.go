package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/troupe-cloud/troupe/e2e/lab"
)

var (
	minutes = flag.Int("minutes", 0, "how long faults are made; 0: each of them once, short")
	seed    = flag.Uint64("seed", 0, "of the order of the faults and their moments; 0: a new one")
	program = flag.String("program", "", "the troupe to try; by default it is built")
	only    = flag.String("only", "", "only the faults with this in their name")
)

const (
	shortScale = time.Second
	longScale  = 3 * time.Second
	// healTimeout is how long the cloud may take after a fault until every
	// object answers through every node again.
	healTimeout   = 2 * time.Minute
	settleTimeout = 3 * time.Minute
)

// TestFaults makes faults while users work, and checks afterwards what they were
// promised.
func TestFaults(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("again with: go test ./e2e/chaos -run TestFaults -seed=%d -minutes=%d", *seed, *minutes)
	ctx := t.Context()
	c := prepare(t)
	image, err := c.image(ctx)
	check(t, err)
	check(t, c.setQuota(ctx, mayHave))
	ids := c.makeRegisters(t, image)

	history, watch, books := newHistory(), newOutages(), newLedger()
	work, stop := context.WithCancel(ctx)
	defer stop()
	var users sync.WaitGroup
	for u := range writers {
		users.Go(func() { c.useRegisters(work, u, c.registers(ids), history, watch) })
	}
	for u := range builders {
		users.Go(func() { c.build(work, u, image, books) })
	}
	users.Go(func() { c.probe(work, ids, watch) })
	survived := c.makeFaults(t, ids, watch)
	stop()
	users.Wait()
	operations, err := history.check()
	if err != nil {
		t.Error(err)
	}
	for _, err := range append(watch.odds, books.failed...) {
		t.Error(err)
	}
	c.settled(t, ids, books)
	report(t, survived, operations, books)
}

// prepare builds the program and starts the cloud.
func prepare(t *testing.T) *cloud {
	t.Helper()
	dir := t.TempDir()
	binary := *program
	if binary == "" {
		binary = filepath.Join(dir, "troupe")
		out, err := exec.Command("go", "build", "-tags", "libvirt_dlopen", "-o", binary, "../../cmd/troupe").CombinedOutput()
		if err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
	}
	found, err := exec.Command("../../scripts/consul.sh").Output()
	if err != nil {
		t.Fatalf("no consul; `make consul` provides it: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := newCloud(ctx, dir, binary, strings.TrimSpace(string(found)))
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Errorf("the end: %v", err)
		}
		if t.Failed() {
			for _, m := range append(c.consuls, c.nodes...) {
				t.Logf("the log of %s ends with:\n%s", m.Name, m.tail())
			}
		}
	})
	check(t, err)
	return c
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *cloud) makeRegisters(t *testing.T, image string) (ids []string) {
	t.Helper()
	dice := rand.New(rand.NewPCG(1, 1))
	for i := range registered {
		id, err := c.create(t.Context(), i%members, fmt.Sprintf("register-%d", i), image)
		check(t, err)
		check(t, c.become(t.Context(), dice, id, "ACTIVE"))
		ids = append(ids, id)
	}
	return ids
}

// survival is what a fault did to the users.
type survival struct {
	times       int
	read, write time.Duration // the longest that an object had no answer
	healed      time.Duration // until everything answered through every node again
}

func (c *cloud) makeFaults(t *testing.T, ids []string, watch *outages) map[string]*survival {
	t.Helper()
	dice := rand.New(rand.NewPCG(*seed, 3))
	survived := map[string]*survival{}
	scale, until := shortScale, time.Now()
	if *minutes > 0 {
		scale, until = longScale, until.Add(time.Duration(*minutes)*time.Minute)
	}
	for first := true; first || time.Now().Before(until); first = false {
		for _, i := range dice.Perm(len(faults)) {
			f := faults[i]
			if strings.Contains(f.name, "clock") && !lab.ClocksCanBeSet {
				continue
			}
			if !strings.Contains(f.name, *only) || !first && time.Now().After(until) {
				continue
			}
			s := survived[f.name]
			if s == nil {
				s = &survival{}
				survived[f.name] = s
			}
			began := time.Now()
			if err := f.do(t.Context(), c, dice, scale); err != nil {
				t.Errorf("%s: %v", f.name, err)
				return survived
			}
			over := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), healTimeout)
			err := eventually(ctx, "the cloud is well again", func() error { return c.well(ctx, ids) })
			cancel()
			read, write := watch.take()
			s.times++
			s.read, s.write, s.healed = max(s.read, read), max(s.write, write), max(s.healed, time.Since(over))
			t.Logf("%s: lasted %.1f s, no read for %.2f s, no write for %.2f s, well after %.1f s", f.name,
				over.Sub(began).Seconds(), read.Seconds(), write.Seconds(), time.Since(over).Seconds())
			if err != nil {
				t.Errorf("after %s: %v", f.name, err)
				return survived
			}
		}
	}
	return survived
}

// well says whether every register answers through every node, and every host is up.
func (c *cloud) well(ctx context.Context, ids []string) error {
	for node := range members {
		for _, id := range ids {
			if _, err := c.show(ctx, node, id); err != nil {
				return fmt.Errorf("%s through %s: %w", id, c.nodes[node].Name, err)
			}
		}
		if _, _, err := c.onHosts(ctx, node); err != nil {
			return fmt.Errorf("hosts through %s: %w", c.nodes[node].Name, err)
		}
	}
	return nil
}

// settled waits until no task is left, and compares what is there with what the
// users were promised.
func (c *cloud) settled(t *testing.T, ids []string, l *ledger) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settleTimeout)
	defer cancel()
	for node := range members {
		err := eventually(ctx, "everything settles, seen through "+c.nodes[node].Name, func() error {
			return c.promised(ctx, node, ids, l)
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func (c *cloud) promised(ctx context.Context, node int, ids []string, l *ledger) error {
	all, err := c.list(ctx, node)
	if err != nil {
		return err
	}
	there, names := map[string]bool{}, map[string]string{}
	for _, s := range all {
		if s.Task != "" || s.Status != "ACTIVE" && s.Status != "SHUTOFF" && s.Status != "ERROR" {
			return fmt.Errorf("%s (%s) is %s/%s: %s", s.Name, s.ID, s.Status, s.Task, s.Fault.Message)
		}
		if l.deleted[s.ID] {
			return fmt.Errorf("%s (%s) was deleted and is there", s.Name, s.ID)
		}
		if names[s.Name] != "" {
			return fmt.Errorf("%s is there twice: one request made two servers", s.Name)
		}
		if _, kept := l.kept[s.Name]; !kept && !l.maybe[s.Name] && !strings.HasPrefix(s.Name, "register-") {
			return fmt.Errorf("%s (%s): nobody asked for it", s.Name, s.ID)
		}
		there[s.ID], names[s.Name] = true, s.ID
	}
	for name, id := range l.kept {
		if !there[id] {
			return fmt.Errorf("%s (%s) was acknowledged and is not there", name, id)
		}
	}
	for _, id := range ids {
		if !there[id] {
			return fmt.Errorf("register %s is not there", id)
		}
	}
	return c.nothingElse(ctx, node, all)
}

// nothingElse compares hypervisors, quota and ports with the servers.
func (c *cloud) nothingElse(ctx context.Context, node int, all []server) error {
	if len(all) > mayHave {
		return fmt.Errorf("%d servers, but the quota is %d", len(all), mayHave)
	}
	used, err := c.inUse(ctx, node)
	if err == nil && used != len(all) {
		err = fmt.Errorf("%d servers, but %d in the quota", len(all), used)
	}
	if err != nil {
		return err
	}
	placed := 0
	for _, s := range all {
		if s.Status != "ERROR" {
			placed++
		}
	}
	running, ram, err := c.onHosts(ctx, node)
	if err == nil && (running < placed || running > len(all) || ram != running*64) {
		err = fmt.Errorf("%d servers on hosts, but %d there with %d MiB", placed, running, ram)
	}
	if err != nil {
		return err
	}
	ports, err := c.ports(ctx, node)
	if err == nil && (ports < placed || ports > len(all)) {
		err = fmt.Errorf("%d servers, but %d ports", len(all), ports)
	}
	return err
}

func report(t *testing.T, survived map[string]*survival, operations int, l *ledger) {
	t.Helper()
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FAULT\tTIMES\tLONGEST WITHOUT READ\tWITHOUT WRITE\tWELL AFTER")
	total := 0
	for _, f := range faults {
		if s := survived[f.name]; s != nil {
			total += s.times
			fmt.Fprintf(w, "%s\t%d\t%.2f s\t%.2f s\t%.1f s\n", f.name, s.times, s.read.Seconds(), s.write.Seconds(), s.healed.Seconds())
		}
	}
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	t.Logf("%d faults survived, %d register operations checked, %d servers made (%d refused by the quota, %d of unknown outcome)\n%s",
		total, operations, l.made, l.refused, len(l.maybe), &out)
	if path := os.Getenv("CHAOS_REPORT"); path != "" {
		if err := errors.Join(os.WriteFile(path, []byte(out.String()), 0o600)); err != nil {
			t.Error(err)
		}
	}
}
