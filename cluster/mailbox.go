package cluster

import (
	"runtime"
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-cloud/troupe/messages"
)

// mailbox is what waits for one grain, in the order in which it came; protoactor's own
// messages first. It does what protoactor's does, and beside it knows whether anybody
// waits for what is in it, and so whether it runs before others (workers). It stays
// before others until the last such message was handled: what is in front of it
// has to be done first anyway.
type mailbox struct {
	workers *workers
	invoker actor.MessageInvoker

	mu        sync.Mutex
	user      queue[letter]
	system    queue[any]
	asked     int // messages in user that somebody waits for
	state     mailboxState
	suspended bool // nothing in user is handled
}

// letter is a message in a mailbox.
type letter struct {
	message any
	asked   bool // somebody waits for it
}

type mailboxState uint8

const (
	mailboxIdle   mailboxState = iota
	mailboxBehind              // waits for its turn
	mailboxRuns                // or is about to
)

var _ actor.Mailbox = (*mailbox)(nil)

// isAsked says whether somebody waits for a message to be handled, or must not wait
// behind it: what may read the store would keep a turn from others.
func isAsked(m any) bool {
	switch m := m.(type) {
	case *call:
		return m.awaited()
	case committed:
		return m.asked
	case *actor.MessageEnvelope:
		return isAsked(m.Message)
	case *messages.Envelope:
		return !m.Tell || m.Urgent
	case wake, passivate:
		return false
	}
	return true
}

// PostUserMessage is actor.Mailbox's.
func (m *mailbox) PostUserMessage(message any) {
	l := letter{message, isAsked(message)}
	m.mu.Lock()
	m.user.push(l)
	if l.asked {
		m.asked++
	}
	m.wake()
}

// PostSystemMessage is actor.Mailbox's.
func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.system.push(message)
	m.wake()
}

// wake sees to it that what waits is handled. Called under mu, which it releases.
func (m *mailbox) wake() {
	before := m.state
	m.state = m.wants()
	now := m.state
	m.mu.Unlock()
	switch {
	case now == before:
	case now == mailboxRuns:
		m.workers.ahead(m)
	case now == mailboxBehind:
		m.workers.later(m)
	}
}

// wants is the state that m should be in. Under mu.
func (m *mailbox) wants() mailboxState {
	switch {
	case m.state == mailboxRuns || m.system.size > 0 || m.asked > 0 && !m.suspended:
		return mailboxRuns
	case m.user.size > 0 && !m.suspended:
		return mailboxBehind
	}
	return mailboxIdle
}

// RegisterHandlers is actor.Mailbox's.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

// Start is actor.Mailbox's.
func (m *mailbox) Start() {}

// UserMessageCount is actor.Mailbox's.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.user.size
}

// turn handles what waits, if m still waits for its turn: it may have been called ahead.
func (m *mailbox) turn() {
	m.mu.Lock()
	if m.state != mailboxBehind {
		m.mu.Unlock()
		return
	}
	m.state = mailboxRuns
	m.mu.Unlock()
	m.handle(behindBurst)
}

// run handles what waits until the last message that somebody waits for was handled.
func (m *mailbox) run() { m.handle(0) }

// handle handles messages for which nobody waits, too, but only so many.
func (m *mailbox) handle(behind int) {
	for n := 1; ; n++ {
		message, system, ok := m.next(&behind)
		if !ok {
			return
		}
		m.invoke(message, system)
		if n%aheadBurst == 0 {
			runtime.Gosched()
		}
	}
}

// next takes the message that is to be handled now. If there is none, m does not run any more.
func (m *mailbox) next(behind *int) (message any, system, ok bool) {
	m.mu.Lock()
	if message, ok = m.system.pop(); ok {
		m.mu.Unlock()
		return message, true, true
	}
	if m.asked == 0 || m.suspended {
		if *behind--; *behind < 0 || m.suspended {
			m.state = mailboxIdle
			m.wake()
			return nil, false, false
		}
	}
	l, ok := m.user.pop()
	if !ok {
		m.state = mailboxIdle
	} else if l.asked {
		m.asked--
	}
	m.mu.Unlock()
	return l.message, false, ok
}

// invoke hands a message to the actor. A panic is protoactor's to judge.
func (m *mailbox) invoke(message any, system bool) {
	defer func() {
		if p := recover(); p != nil {
			m.invoker.EscalateFailure(p, message)
		}
	}()
	switch message.(type) {
	case *actor.SuspendMailbox:
		m.suspend(true)
	case *actor.ResumeMailbox:
		m.suspend(false)
	default:
		if system {
			m.invoker.InvokeSystemMessage(message)
		} else {
			m.invoker.InvokeUserMessage(message)
		}
	}
}

func (m *mailbox) suspend(on bool) {
	m.mu.Lock()
	m.suspended = on
	m.mu.Unlock()
}
