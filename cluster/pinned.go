package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// announcePause is the pause between tries to say which hosts are attached here.
const announcePause = time.Second

// Why a host is lost although its hypervisor did not say so.
const (
	lostInExile  = "no node of the cloud drives it"
	lostDetached = "its node does not drive it any more"
)

// announce says, until it has been taken, which hypervisors this node drives:
// their grains live where their drivers are.
func (h *hosts) announce() {
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.listed:
		}
		if err := h.node.net.SetHosts(h.ctx, h.names()); err != nil && h.ctx.Err() == nil {
			h.node.log.Warn().Err(err).Msg("the hosts of this node could not be announced")
			if sleep(h.ctx, jitter(announcePause)) {
				signal(h.listed)
			}
		}
	}
}

func (h *hosts) names() []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	names := make([]string, 0, len(h.attached))
	for name := range h.attached {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// own notes which of the attached hosts have their grains here. One that has
// come home is told what its hypervisor is and has; of one that has gone, what is
// under way is broken off: nobody would hear of it, and the order stands.
func (h *hosts) own(mine func(name string) bool) {
	h.mu.RLock()
	all := slices.Collect(maps.Values(h.attached))
	h.mu.RUnlock()
	for _, a := range all {
		is := mine(a.name)
		switch was := a.own.Swap(is); {
		case is && !was:
			signal(a.resync)
		case was && !is:
			a.breakOff()
			h.board.Remove(a.name)
		}
	}
}

func (a *host) breakOff() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lanes {
		if l.next = nil; l.running != nil {
			l.cancel()
		}
	}
}

// publish puts what a host says on the board. Of one in exile nobody needs to
// hear there: it takes nothing.
func (h *hosts) publish(f *messages.HostFacts) {
	if h.node.net == nil || h.find(f.GetName()) != nil {
		h.board.Publish(f)
	}
}

// exiled tells a host grain that its hypervisor is out of reach: nobody in the
// cloud drives it.
func (h *hosts) exiled(name string) {
	// Only to the grain that is here: one that has gone home meanwhile knows better.
	// A loss is told again, by the next activation in exile.
	_ = h.node.deliverHere(&call{to: hostRef(name), message: &messages.HostLost{Reason: lostInExile}})
}

// begin runs work that Stop and DetachHost wait for; false if it is too late.
func (a *host) begin(work func()) bool {
	a.hosts.mu.RLock()
	defer a.hosts.mu.RUnlock()
	if a.hosts.closed || a.ctx.Err() != nil {
		return false
	}
	a.tasks.Add(1)
	a.hosts.tasks.Go(func() {
		defer a.tasks.Done()
		work()
	})
	return true
}

// DetachHost has this node drive a hypervisor no longer; operations under way are
// broken off. Once it has returned without an error the driver is not used any
// more.
func (n *Node) DetachHost(ctx context.Context, name string) error {
	h := n.hosts
	h.mu.Lock()
	a := h.attached[name]
	if a == nil {
		h.mu.Unlock()
		return fmt.Errorf("host %s is not attached here: %w", name, messages.NotFound)
	}
	delete(h.attached, name)
	if !a.heard {
		h.unheard--
	}
	a.cancel()
	h.mu.Unlock()
	h.board.Remove(name)
	signal(h.listed)
	// Its grain may stay, and would not notice; another node's will.
	_ = n.deliverHere(&call{to: hostRef(name), message: &messages.HostLost{Reason: lostDetached}})
	return wait(ctx, &a.tasks, "driver operations")
}
