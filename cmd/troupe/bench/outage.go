package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	watchedServers = 8 // of the node that ends, each looked at and written to all the time
	watchPause     = 5 * time.Millisecond
	outageTimeout  = time.Minute
	askTimeout     = 20 * time.Second // of one request
	leaveRounds    = 3
	calm           = time.Second // watched before and after a node leaves
	lookedFor      = 300         // servers among which those of one node are looked for
)

// way is how one server is asked again and again.
type way struct {
	what string // method and path
	base string
	req  []byte
}

// ways are a look at, and a write to, each of some servers of one node, through
// the other nodes in turn.
func (r *run) ways(victim int, of []string) (reads, writes []way) {
	bases := r.gateways()
	for i, id := range of {
		path := "/compute/v2.1/servers/" + id
		read, write := bases[(victim+1+i%(r.nodes-1))%r.nodes], bases[(victim+1+(i+1)%(r.nodes-1))%r.nodes]
		reads = append(reads, way{"GET " + path, read, request("GET", read, path, r.tokens, "")})
		writes = append(writes, way{"PUT " + path, write, request("PUT", write, path+"/metadata/bench", r.tokens, `{"meta":{"bench":"written"}}`)})
	}
	return reads, writes
}

// living are servers of every node, by its position.
func (r *run) living() ([][]string, error) {
	if r.group.members[0] == nil {
		return nil, errors.New("there are no nodes with servers: measure \"create\" before")
	}
	c, err := dial(r.gateways()[0])
	if err != nil {
		return nil, err
	}
	defer c.close()
	ids, err := r.ids(c, lookedFor)
	if err != nil {
		return nil, err
	}
	by := make([][]string, r.nodes)
	for _, id := range ids {
		i, err := r.owner(c, id)
		if err != nil {
			return nil, err
		}
		if len(by[i]) < watchedServers {
			by[i] = append(by[i], id)
		}
	}
	for i, of := range by {
		if len(of) == 0 {
			return nil, fmt.Errorf("no server lives on %s", r.group.members[i].name)
		}
	}
	return by, nil
}

// kills measures for how long servers cannot be asked when their node is killed.
func kills(r *run) error {
	by, err := r.living()
	if err != nil {
		return err
	}
	var reads, writes []time.Duration
	for round := range r.kills {
		victim := round % r.nodes
		look, write := r.ways(victim, by[victim])
		killed := time.Now()
		if err := r.group.end(r.group.members[victim], true); err != nil {
			return err
		}
		read, wrote, err := r.outages(killed, look, write)
		if err != nil {
			return err
		}
		fmt.Fprintf(r.notes, "  %s was killed: read after %.0f ms, written after %.0f ms at the latest\n",
			r.group.members[victim].name, ms(at(read, 100)), ms(at(wrote, 100)))
		reads, writes = append(reads, read...), append(writes, wrote...)
		if err := r.group.members[victim].start(); err != nil {
			return err
		}
		if err := r.whole(); err != nil {
			return err
		}
	}
	what := fmt.Sprintf("%d kills of the owner, %d servers: until the first good ", r.kills, len(reads))
	show := func(took []time.Duration) string {
		return fmt.Sprintf("%.2f s (%.2f s, %.2f s)", at(took, 50).Seconds(), at(took, 99).Seconds(), at(took, 100).Seconds())
	}
	r.add(what+"GET, p50 (p99, most)", show(reads), "p99 < 5 s", "")
	r.add(what+"PUT, p50 (p99, most)", show(writes), "p99 < 5 s", "")
	return nil
}

// outages is how long after a moment each way is good again.
func (r *run) outages(since time.Time, reads, writes []way) (read, wrote []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, outageTimeout)
	defer cancel()
	var all sync.WaitGroup
	until := func(ways []way) ([]time.Duration, []error) {
		took, errs := make([]time.Duration, len(ways)), make([]error, len(ways))
		for i, w := range ways {
			all.Go(func() {
				last := watch(ctx, w, func(a asked) bool {
					took[i] = a.at.Add(a.took).Sub(since)
					return a.failure == nil
				})
				if ctx.Err() != nil {
					errs[i] = fmt.Errorf("not good again: %w, %w", last, ctx.Err())
				}
			})
		}
		return took, errs
	}
	read, readErrs := until(reads)
	wrote, wroteErrs := until(writes)
	all.Wait()
	return read, wrote, errors.Join(append(readErrs, wroteErrs...)...)
}

// asked is one request: when it was sent, when it was answered, and why that was
// no good answer.
type asked struct {
	at      time.Time
	took    time.Duration
	what    string // its method and path
	failure error
}

// watch asks one way until enough says so or ctx ends, and returns the last failure.
func watch(ctx context.Context, w way, enough func(asked) bool) (last error) {
	var c *conn
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	for ctx.Err() == nil {
		a := asked{at: time.Now(), what: w.what}
		var status int
		var body []byte
		if c == nil {
			c, a.failure = dial(w.base)
		}
		if a.failure == nil {
			_ = c.c.SetDeadline(a.at.Add(askTimeout)) // if it fails, so does the request
			status, body, a.failure = c.do(w.req)
		}
		a.took = time.Since(a.at)
		switch {
		case a.failure != nil && c != nil:
			c.close()
			c = nil
		case a.failure == nil && status != http.StatusOK:
			a.failure = fmt.Errorf("status %d: %.300s", status, body)
		}
		if a.failure != nil {
			last = a.failure
		}
		if enough(a) {
			return last
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchPause):
		}
	}
	return last
}

// leaves measures what clients of the other nodes see when a node leaves in order.
func leaves(r *run) error {
	by, err := r.living()
	if err != nil {
		return err
	}
	var failures []error
	var usual, longest time.Duration
	requests := 0
	for round := range leaveRounds {
		victim := r.group.members[round%r.nodes]
		look, write := r.ways(round%r.nodes, by[round%r.nodes])
		seen, told, err := r.watchLeave(victim, append(look, write...))
		if err != nil {
			return err
		}
		worst := asked{}
		for _, a := range seen {
			requests++
			switch {
			case a.failure != nil:
				failures = append(failures, a.failure)
			case a.at.Add(a.took).Before(told):
				usual = max(usual, a.took)
			default:
				longest = max(longest, a.took)
				if a.took > worst.took {
					worst = a
				}
			}
		}
		fmt.Fprintf(r.notes, "  %s left: the slowest request was sent %.0f ms after it was told, and answered after %.0f ms: %s\n",
			victim.name, ms(worst.at.Sub(told)), ms(worst.took), worst.what)
		if err := victim.start(); err != nil {
			return err
		}
		if err := r.whole(); err != nil {
			return err
		}
	}
	got := fmt.Sprintf("%d of %d", len(failures), requests)
	if len(failures) > 0 {
		got += fmt.Sprintf(", first: %.120v", failures[0])
	}
	r.add(fmt.Sprintf("%d leaves (SIGTERM): failed requests through the others", leaveRounds), got, "0", "")
	r.add("the same: longest that a server was not answered", fmt.Sprintf("%.0f ms", ms(longest)), "< 100 ms",
		fmt.Sprintf("%.0f ms in the second before", ms(usual)))
	return nil
}

// watchLeave has a node leave, and asks all the time; told is when it began.
func (r *run) watchLeave(victim *member, ways []way) (seen []asked, told time.Time, err error) {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	by := make([][]asked, len(ways))
	var all sync.WaitGroup
	for i, w := range ways {
		all.Go(func() {
			_ = watch(ctx, w, func(a asked) bool { // failures are in what is noted
				if ctx.Err() == nil || a.failure == nil {
					by[i] = append(by[i], a)
				}
				return false
			})
		})
	}
	err = r.pause(calm)
	told = time.Now()
	if err == nil {
		err = r.group.end(victim, false)
	}
	err = errors.Join(err, r.pause(calm))
	cancel()
	all.Wait()
	for _, one := range by {
		seen = append(seen, one...)
	}
	return seen, told, err
}
