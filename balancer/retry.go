package balancer

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Retry says when a call that has failed is made again. The zero Retry is Spring's
// default: not on the same server, on one other.
type Retry struct {
	Same  int           // more tries on the same server: MaxAutoRetries
	Next  int           // more servers; 0: DefaultNext, negative: none. MaxAutoRetriesNextServer
	Sleep time.Duration // before the second more; doubled each time. BackOff

	// All has calls made again that may change something twice if they were done and
	// the answer was lost: OkToRetryOnAllOperations. Calls that nobody has taken are
	// made again in any case.
	All bool

	Budget *Budget // nil: one of its own, by DefaultRatio
}

// DefaultNext is Ribbon's MaxAutoRetriesNextServer.
const DefaultNext = 1

func (r *Retry) next() int {
	switch {
	case r.Next < 0:
		return 0
	case r.Next == 0:
		return DefaultNext
	}
	return r.Next
}

// Budget bounds repetitions by what is called in all, so that they do not drown
// servers which fail because they have too much to do. Source: Finagle's
// RetryBudget. Safe for concurrent use.
type Budget struct {
	ratio    float64
	reserve  float64      // repetitions a second that are always allowed
	calls    atomic.Int64 // that are not counted in tokens yet
	mu       sync.Mutex
	tokens   float64
	refilled time.Time
}

// Defaults of a Budget: Finagle's.
const (
	DefaultRatio   = 0.2
	DefaultReserve = 10
	budgetWindow   = 10 * time.Second // of calls that count
)

// NewBudget allows ratio repetitions for each call, and reserve a second beyond.
func NewBudget(ratio, reserve float64) *Budget {
	return &Budget{ratio: ratio, reserve: reserve, tokens: reserve * budgetWindow.Seconds()}
}

// most keeps what was not used for a window.
func (b *Budget) most() float64 { return max(b.reserve*budgetWindow.Seconds(), 1000*b.ratio) }

func (b *Budget) deposit() { b.calls.Add(1) }

func (b *Budget) withdraw(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+b.ratio*float64(b.calls.Swap(0)), b.most())
	if !b.refilled.IsZero() {
		b.tokens = min(b.tokens+b.reserve*max(now.Sub(b.refilled).Seconds(), 0), b.most())
	}
	b.refilled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// badAnswer is an error that a server is to blame for, though it could be reached.
type badAnswer struct{ error }

func (b badAnswer) Unwrap() error { return b.error }

// Bad marks an error as the server's fault: it counts against it, and another one
// may do better. Other errors than of the network say nothing about the server.
func Bad(err error) error { return badAnswer{err} }

// ResultOf is what an error of a call says of the server.
func ResultOf(err error) Result {
	if err == nil {
		return OK // without room for what errors are
	}
	var bad badAnswer
	var network net.Error
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return Abandoned
	case errors.As(err, &bad):
		return Failed
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout(), errors.As(err, &op),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Unreachable
	}
	return OK
}

// untaken says whether nobody can have begun with a call that ended in err.
func untaken(err error) bool {
	var op *net.OpError
	return errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &op) && op.Op == "dial"
}

// attempts goes through the tries of one call.
type attempts struct {
	b       *Balancer
	retry   *Retry
	request Request
	server  *Server
	same    int // more tries on server
	servers int // more servers
	tries   int
	room    [4]*Server
}

func (b *Balancer) attempts(retry *Retry, r Request) attempts {
	a := attempts{b: b, retry: retry, request: r, same: retry.Same, servers: retry.next()}
	return a
}

// first chooses the first server.
func (a *attempts) first() error {
	a.budget().deposit()
	return a.choose()
}

func (a *attempts) budget() *Budget {
	if a.retry.Budget != nil {
		return a.retry.Budget
	}
	return a.b.budget
}

func (a *attempts) choose() (err error) {
	a.server, err = a.b.Choose(&a.request)
	return err
}

// again says whether the call is made once more, and where, after err.
func (a *attempts) again(ctx context.Context, err error, safe bool) bool {
	result := ResultOf(err)
	if result == OK || result == Abandoned || ctx.Err() != nil || !safe && !a.retry.All && !untaken(err) {
		return false
	}
	if a.same == 0 && a.servers == 0 {
		return false
	}
	if !a.budget().withdraw(time.Now()) {
		return false
	}
	if a.tries++; a.tries > 1 && a.retry.Sleep > 0 && !pauseFor(ctx, a.retry.Sleep<<min(a.tries-2, maxDoublings)) {
		return false
	}
	if a.same > 0 && result != Refused {
		a.same--
		return true
	}
	if a.servers == 0 {
		return false
	}
	a.servers--
	a.same = a.retry.Same
	if a.request.Tried == nil {
		a.request.Tried = a.room[:0]
	}
	a.request.Tried = append(a.request.Tried, a.server)
	return a.choose() == nil
}

func pauseFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Do has call made to a server of the service, and made again elsewhere as retry
// allows. Its errors are told apart by ResultOf; safe says that it does no harm
// twice. The error is that of the last try, or wraps ErrNoServer.
func (b *Balancer) Do(ctx context.Context, retry Retry, safe bool, call func(context.Context, *Server) error) error {
	a := b.attempts(&retry, Request{})
	if err := a.first(); err != nil {
		return err
	}
	for {
		under := b.Begin(a.server)
		err := call(ctx, a.server)
		r := ResultOf(err)
		if ctx.Err() != nil && r == Unreachable {
			r = Abandoned // the caller's own time is up
		}
		under.End(r)
		if err == nil || !a.again(ctx, err, safe) {
			return err
		}
	}
}
