package cluster

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
)

const (
	sweepFirst    = 1                      // grains that are activated at once at first: whoever asks now comes up, too
	sweepDouble   = 100 * time.Millisecond // after which twice as many are,
	sweepWidth    = 64                     // but no more than that
	sweepPause    = time.Second
	sweepMaxPause = 30 * time.Second
	settlePause   = 250 * time.Millisecond
)

// wakeUnsettled has every grain of this node with work outstanding activated. It
// is called at the start, and after an activation with such work had to give up.
func (n *Node) wakeUnsettled() { signal(n.resweep) }

// sweepView does the same, without a pause, for what a new view has made this
// node's own.
func (n *Node) sweepView() {
	n.viewSwept.Store(false)
	signal(n.resweep)
}

// sweepLoop sweeps when asked to, at once the first time and with growing
// pauses while it is asked again.
func (n *Node) sweepLoop() {
	pause := time.Duration(0)
	last := time.Now()
	var seen *routing // when the last sweep for a view began
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.resweep:
		}
		if !n.viewSwept.Swap(true) {
			r := n.settling()
			if seen != nil && seen.settled && r.view.Index == seen.view.Index {
				continue // nobody can have left anything behind since
			}
			seen = r
		} else {
			if time.Since(last) > 2*sweepMaxPause {
				pause = sweepPause
			}
			if !sleep(n.ctx, jitter(pause)) {
				return
			}
			pause = min(max(2*pause, sweepPause), sweepMaxPause)
		}
		last = time.Now()
		if err := n.sweep(); err != nil && n.ctx.Err() == nil {
			n.log.Warn().Err(err).Msg("unsettled work could not be listed")
			n.wakeUnsettled()
		}
	}
}

// settling waits a moment for a new view to become stable: who still has the
// grains may still leave work behind, and one list is enough then.
func (n *Node) settling() *routing {
	r := n.routing.Load()
	if r.settled {
		return r
	}
	t := time.NewTimer(settlePause)
	defer t.Stop()
	select {
	case <-r.changed:
	case <-t.C:
	case <-n.ctx.Done():
	}
	return n.routing.Load()
}

func (n *Node) sweep() error {
	slots := newSlots(time.Now())
	after, woken := "", 0
	for more := true; more; {
		items, rest, err := n.store.List(n.ctx, actors.UnsettledPrefix, after, 0)
		if err != nil {
			return err
		}
		for _, item := range items {
			after = item.Key
			ref, ok := actors.ParseUnsettledKey(item.Key)
			if ok && n.lookup.active(ref) || ok && !n.mine(ref) {
				continue
			}
			slots.widen(time.Now())
			if !ok || !n.wake(ref, slots.taken) {
				n.log.Warn().Str("key", item.Key).Msg("unsettled work of an unknown kind")
				continue
			}
			woken++
		}
		more = rest
	}
	if woken > 0 {
		n.log.Info().Int("grains", woken).Msg("unsettled work goes on")
	}
	return nil
}

// slots are as many as grains may be activated at once; more are freed as time passes.
type slots struct {
	taken chan struct{} // by a grain that comes up, or as not free yet
	width int
	began time.Time
}

func newSlots(now time.Time) *slots {
	s := &slots{taken: make(chan struct{}, sweepWidth), width: sweepFirst, began: now}
	for range sweepWidth - sweepFirst {
		s.taken <- struct{}{}
	}
	return s
}

// widen frees those whose time has come.
func (s *slots) widen(now time.Time) {
	for ; s.width < sweepWidth && now.Sub(s.began) >= sweepDouble; s.began = s.began.Add(sweepDouble) {
		more := min(s.width, sweepWidth-s.width)
		for range more {
			<-s.taken
		}
		s.width += more
	}
}

// wake activates ref once one of slots is free.
func (n *Node) wake(ref actors.Ref, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
	case <-n.ctx.Done():
		return true
	}
	err := n.deliver(&call{to: ref, patient: true, answer: func(proto.Message, error) { <-slots }})
	if err != nil {
		<-slots
	}
	return err == nil || isUnavailable(err)
}
