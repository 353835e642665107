package bench

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	lb "github.com/troupe-cloud/troupe/balancer"
)

// What the tail is measured over: ten servers, of which one is ten times slower,
// each with a few requests at once and a queue, at a load that the slow one can just bear
// if it gets as much as the others. Time is simulated, so that the outcome is the rules' and not the
// machine's; the balancer is the real one.
const (
	tailServers  = 10
	tailWidth    = 4 // requests at once on a server
	tailService  = 10 * time.Millisecond
	tailSlower   = 10
	tailLoad     = 0.08
	tailRequests = 100_000
	tailWarm     = 10_000 // that do not count: rules learn
	tailSeed     = 2026
)

// tailRow is what one rule made of it.
type tailRow struct {
	rule           string
	p50, p99, p999 time.Duration
	slow           float64 // share of the requests that the slow server got
}

// tails measures each rule, as rows and as a plot.
func tails(r *run) error {
	var rows []tailRow
	for _, name := range []string{
		"round-robin", "random", "zone-avoidance", "availability", "weighted-response-time", "maglev", "best-available", "p2c", "peak-ewma",
	} {
		row, err := tail(name)
		if err != nil {
			return err
		}
		rows = append(rows, row)
		r.add(fmt.Sprintf("balancer: one of %d servers %d× slower, %s: p50 (p99; p99.9)", tailServers, tailSlower, name),
			fmt.Sprintf("%.0f ms (%.0f ms; %.0f ms)", ms(row.p50), ms(row.p99), ms(row.p999)), "",
			fmt.Sprintf("the slow one got %.1f %%; simulated time", 100*row.slow))
	}
	if r.plots == "" {
		return nil
	}
	if err := os.MkdirAll(r.plots, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.plots, "balancer-tail.svg"), plotTails(rows), 0o644)
}

// ruleOf makes a rule whose chance comes from draw.
func ruleOf(name string, draw lb.Draw) (lb.Rule, error) {
	rule, err := lb.RuleByName(name)
	switch r := rule.(type) {
	case *lb.Random:
		r.Draw = draw
	case *lb.ZoneAvoidance:
		r.Draw = draw
	case *lb.WeightedResponseTime:
		r.Draw = draw
	case *lb.Maglev:
		r.Draw = draw
	case *lb.P2C:
		r.Draw = draw
	case *lb.PeakEWMA:
		r.Draw = draw
	}
	return rule, err
}

// ending is the end of a request.
type ending struct {
	at     time.Duration
	server int
	began  time.Duration
	call   lb.Call
}

type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at < e[j].at }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// queue is one simulated server.
type queue struct {
	busy    int
	waiting []ending
}

// weather is a history under way.
type weather struct {
	now    time.Duration
	clock  atomic.Int64 // now, for the balancer, which may look from a timer of its own
	random *rand.Rand
	ends   endings
	queues [tailServers]queue
	took   []time.Duration
}

// tail runs one rule.
func tail(name string) (tailRow, error) {
	w := &weather{random: rand.New(rand.NewPCG(tailSeed, 1))}
	rule, err := ruleOf(name, rand.New(rand.NewPCG(tailSeed, 2)).Uint64)
	if err != nil {
		return tailRow{}, err
	}
	epoch := time.Unix(0, 0)
	b := lb.New(name, lb.Config{Rule: rule, Now: func() time.Time { return epoch.Add(time.Duration(w.clock.Load())) }})
	defer b.Close()
	list, places := make([]lb.Endpoint, tailServers), map[string]int{}
	for i := range list {
		list[i] = lb.Endpoint{Host: fmt.Sprintf("10.0.0.%d", i+1), Port: 80, Weight: 1}
		places[list[i].Address()] = i
	}
	b.Update(list)
	pause, refreshed, slow := float64(tailService)/(tailServers*tailWidth*tailLoad), time.Duration(0), 0
	for n := range tailWarm + tailRequests {
		arrival := w.now + time.Duration(w.random.ExpFloat64()*pause)
		w.until(arrival)
		w.turn(arrival)
		if w.now-refreshed > 5*time.Second { // rules that look at response times do so
			b.Update(list)
			refreshed = w.now
		}
		if n == tailWarm {
			w.took, slow = w.took[:0], 0
		}
		s, err := b.Choose(&lb.Request{})
		if err != nil {
			return tailRow{}, err
		}
		at := places[s.Address()]
		if at == 0 {
			slow++
		}
		w.arrive(ending{server: at, began: w.now, call: b.Begin(s)})
	}
	w.until(1 << 62)
	return tailRow{name, at(w.took, 50), at(w.took, 99), permille(w.took, 999), float64(slow) / tailRequests}, nil
}

func (w *weather) turn(to time.Duration) {
	w.now = to
	w.clock.Store(int64(to))
}

// arrive has a server begin with a request, or keep it waiting.
func (w *weather) arrive(e ending) {
	q := &w.queues[e.server]
	if q.busy == tailWidth {
		q.waiting = append(q.waiting, e)
		return
	}
	q.busy++
	mean := float64(tailService)
	if e.server == 0 {
		mean *= tailSlower
	}
	e.at = w.now + time.Duration(w.random.ExpFloat64()*mean)
	heap.Push(&w.ends, e)
}

// until has all end that does before a time.
func (w *weather) until(limit time.Duration) {
	for len(w.ends) > 0 && w.ends[0].at <= limit {
		e := heap.Pop(&w.ends).(ending)
		w.turn(e.at)
		e.call.End(lb.OK)
		w.took = append(w.took, w.now-e.began)
		q := &w.queues[e.server]
		q.busy--
		if len(q.waiting) > 0 {
			next := q.waiting[0]
			q.waiting = q.waiting[1:]
			w.arrive(next)
		}
	}
}
