// Package actors owns the form in which every decision of the cloud is written:
// a state, a pure Step, and the effects it asks for. It performs nothing; the
// shell in package cluster (and the simulator in actors/sim) does.
package actors

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

// Message is anything that grains say to each other.
type Message = proto.Message

// Ref names one grain.
type Ref struct{ Kind, ID string }

func (r Ref) String() string { return r.Kind + "." + r.ID }

// Input is all that a Step may know beyond the state.
type Input struct {
	ID      string        // the grain's own identity
	Now     time.Time     // the only clock
	Message proto.Message // Activated once per activation, Nudged to try again, or a command, query or fact
	Request string        // id of the outer request, for the history; may be empty
	Format  uint32        // the newest in which the state may be written; 0: Format
}

// Writes says whether the state may hold what came with a format.
func (in Input) Writes(format uint32) bool { return in.Format == 0 || in.Format >= format }

// Effect is something a Step asks the shell to do once the new state is
// committed. Effects are performed in order, at least once: whatever must
// happen stands in the state too, and Outstanding lists it again.
type Effect interface{ effect() }

type (
	// Tell sends a message to another grain and expects nothing back.
	Tell struct {
		To      Ref
		Message proto.Message
	}

	// Reply answers the message being handled. A command without Reply, Defer
	// or error is answered with messages.Done.
	Reply struct{ Message proto.Message }

	// Defer keeps the asker of the message being handled waiting for an Answer
	// with the same Key. Waiting askers live in memory only; they are told
	// Unavailable when the grain moves or is passivated, and may ask again.
	Defer struct{ Key string }

	// Answer replies to every asker that waits under Key; Err nil: with Message.
	Answer struct {
		Key     string
		Message proto.Message
		Err     error
	}

	// Drive has the host's driver carry out one order. The outcome comes back
	// to the host as messages.DriverDone. A Drive for an instance cancels an
	// older one that is still running for it, waits until that has ended, and
	// then runs; the same order again while it runs is dropped, and so is an
	// order older than one that was driven for the instance: a stale activation
	// may still ask for it, after the hypervisor has forgotten the instance.
	Drive struct{ Order *messages.OrderHost }

	// Reconcile asks the node for messages.HostConnected, as after a reconnect: a
	// host that was activated anew does not know whether it is connected.
	Reconcile struct{}

	// ReadConsole answers the message being handled with messages.ConsoleView
	// from the host's driver.
	ReadConsole struct {
		Instance string
		MaxBytes int64
	}

	// Publish puts a host's facts where queries find them.
	Publish struct{ Facts *messages.HostFacts }

	// QueryHosts asks every host for its facts, one batch message per node. The
	// answers come back together as one messages.HostsAnswered.
	QueryHosts struct{ Round uint64 }

	// Notify tells who watches this grain that what it answers has changed, where no
	// commit says so: the change is in memory only.
	Notify struct{}

	// ReadCold answers the message being handled with a row of a Cold table, decoded
	// as a new message of As's type; NotFound if there is none.
	ReadCold struct {
		Table, Row string
		As         Message
	}

	// Probe has the node look whether endpoints answer. What it found comes back as
	// one or more messages.EndpointsProbed; lost ones are asked for again.
	Probe struct{ Targets []ProbeTarget }

	// Ask sends a message to another grain and has its answer, or its refusal, come
	// back as messages.Answered. One that is lost is asked again by who needs it.
	Ask struct {
		To      Ref
		Message proto.Message
	}

	// Discard removes the content named by a SHA-256 from the blob stores, if no
	// image refers to it any more.
	Discard struct{ SHA256 string }
)

func (Tell) effect()        {}
func (Reply) effect()       {}
func (Defer) effect()       {}
func (Answer) effect()      {}
func (Drive) effect()       {}
func (Reconcile) effect()   {}
func (ReadConsole) effect() {}
func (Publish) effect()     {}
func (QueryHosts) effect()  {}
func (Notify) effect()      {}
func (ReadCold) effect()    {}
func (Probe) effect()       {}
func (Ask) effect()         {}
func (Discard) effect()     {}

// ProbeTarget is one endpoint to look at, and how.
type ProbeTarget struct {
	Key   *messages.EndpointKey
	Check *messages.HealthCheck // with the port to use filled in
}

// Entry is one index entry: it rides along in the commit of the grain that owns
// it, so a list never shows what a show does not.
type Entry struct {
	Key   string // below "index/"
	Value []byte

	// View may stand instead of Value: it is marshalled only if the entry is
	// written, and the same pointer as before means that it need not be.
	View proto.Message
}
