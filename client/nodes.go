package client

import (
	"slices"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// failPause is how long a node that failed is not asked, if there is another; it
// doubles up to maxFailPause.
const (
	failPause    = 250 * time.Millisecond
	maxFailPause = 8 * time.Second
)

// nodes are those that can be asked: the configured ones and those that they have
// named. Safe for concurrent use.
type nodes struct {
	mu      sync.Mutex
	all     []*node
	current *node
}

type node struct {
	address string
	given   bool // in the configuration
	fails   int
	until   time.Time // not to be asked before
}

// member is any node at that address: its certificate says that it is one.
func (n *node) member() view.Member { return view.Member{Address: n.address} }

func newNodes(addresses []string) *nodes {
	n := &nodes{}
	for _, a := range addresses {
		if n.find(a) == nil {
			n.all = append(n.all, &node{address: a, given: true})
		}
	}
	return n
}

func (n *nodes) find(address string) *node {
	for _, one := range n.all {
		if one.address == address {
			return one
		}
	}
	return nil
}

func (n *nodes) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.all)
}

// pick is the node to ask: the one that worked last or, if it has failed, the next
// that has not, or else the one whose pause ends first.
func (n *nodes) pick() *node {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := time.Now(); n.current == nil || now.Before(n.current.until) {
		n.current = n.next(now)
	}
	return n.current
}

func (n *nodes) next(now time.Time) *node {
	from := slices.Index(n.all, n.current) + 1
	best := n.all[from%len(n.all)]
	for i := range n.all {
		one := n.all[(from+i)%len(n.all)]
		if !now.Before(one.until) {
			return one
		}
		if one.until.Before(best.until) {
			best = one
		}
	}
	return best
}

func (n *nodes) worked(one *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	one.fails, one.until = 0, time.Time{}
}

// failed puts a node off.
func (n *nodes) failed(one *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := time.Now(); !now.Before(one.until) { // many calls fail together, once
		one.until = now.Add(min(failPause<<min(one.fails, 10), maxFailPause))
		one.fails++
	}
}

// moveOn asks another node next, unless somebody has moved on already.
func (n *nodes) moveOn(from *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.current == from {
		n.current = n.next(time.Now())
	}
}

// learn takes over which nodes there are. Those of the configuration stay: they
// may only be away.
func (n *nodes) learn(members []*messages.Member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	there := map[string]bool{}
	for _, m := range members {
		if m.GetAddress() == "" || m.GetLeaving() {
			continue
		}
		there[m.GetAddress()] = true
		if n.find(m.GetAddress()) == nil {
			n.all = append(n.all, &node{address: m.GetAddress()})
		}
	}
	n.all = slices.DeleteFunc(n.all, func(one *node) bool { return !one.given && !there[one.address] && one != n.current })
}
