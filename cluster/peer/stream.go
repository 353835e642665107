package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/messages"
)

var (
	errEnded   = errors.New("the other end closed the stream")
	errRenewed = errors.New("the stream is made anew")
)

// stream is an open Exchange.
type stream struct {
	grpc.ClientStream
	conn *grpc.ClientConn
	with Identity
}

// start dials. The caller holds mu.
func (l *link) start() {
	ctx, cancel := context.WithCancelCause(l.d.ctx)
	l.attempt++
	attempt := l.attempt
	l.state, l.cancel, l.silent = dialing, cancel, 0
	l.d.running.Go(func() {
		defer cancel(nil)
		s, err := l.connect(ctx, attempt)
		if err != nil {
			l.failed(attempt, err)
			return
		}
		began := time.Now()
		err = l.exchange(ctx, s, attempt)
		_ = s.conn.Close()
		l.broke(attempt, err, time.Since(began) > steadyAfter)
		l.d.gone(s.with)
	})
}

// connect dials and shakes hands.
func (l *link) connect(ctx context.Context, attempt int) (*stream, error) {
	l.tally.dials.Add(1)
	var cause atomic.Pointer[error] // of a failure below gRPC
	conn, err := l.d.client(l.to, &l.count, &cause)
	if err != nil {
		return nil, err
	}
	limit := time.AfterFunc(l.d.c.handshake(), func() {
		l.stop(attempt, fmt.Errorf("no greeting within %v", l.d.c.handshake()))
	})
	defer limit.Stop()
	s, err := l.greet(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil, explain(ctx, err, cause.Load())
	}
	return s, nil
}

func (l *link) greet(ctx context.Context, conn *grpc.ClientConn) (*stream, error) {
	cs, err := conn.NewStream(ctx, &service.Streams[0], exchangeMethod, grpc.ForceCodecV2(l.d.codec))
	if err != nil {
		return nil, err
	}
	self := *l.d.self.Load()
	said := time.Now()
	hello := &messages.Frames{Frames: []*messages.Frame{l.d.c.hello(self, l.to.ID)}}
	if err := cs.SendMsg(hello); err != nil && err != io.EOF { // EOF: RecvMsg knows why
		return nil, err
	}
	first := &messages.Frames{}
	if err := cs.RecvMsg(first); err != nil {
		return nil, err
	}
	l.tally.rtt(time.Since(said))
	if len(first.GetFrames()) == 0 {
		return nil, refuse(messages.GoAway_REASON_BROKEN, "it did not greet")
	}
	with, err := l.greeted(cs.Context(), first.GetFrames()[0], said)
	if err != nil {
		return nil, err
	}
	return &stream{cs, conn, with}, l.receive(&messages.Frames{Frames: first.GetFrames()[1:]}, with)
}

// greeted reads the other end's first frame.
func (l *link) greeted(ctx context.Context, f *messages.Frame, said time.Time) (Identity, error) {
	if g := f.GetGoAway(); g != nil {
		return Identity{}, &refusal{g.GetReason(), "it refuses: " + g.GetMessage()}
	}
	h := f.GetHello()
	if h == nil {
		return Identity{}, refuse(messages.GoAway_REASON_BROKEN, "it did not greet")
	}
	with, r := l.d.c.judge(ctx, *l.d.self.Load(), h, said)
	switch {
	case r != nil:
		return with, r
	case with.Role != RoleNode, l.to.Name != "" && with.Name != l.to.Name:
		return with, refuse(messages.GoAway_REASON_IDENTITY, "%s %q answers", with.Role, with.Name)
	case l.to.ID != "" && with.Member != l.to.ID:
		return with, refuse(messages.GoAway_REASON_NOT_ME, "member %s answers, not %s", with.Member, l.to.ID)
	}
	return with, nil
}

// explain finds the first cause of a failure to connect. All are ErrUnreachable.
func explain(ctx context.Context, err error, below *error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%w: %w", cause, ErrUnreachable)
	}
	if below != nil && errors.Is(*below, syscall.ECONNREFUSED) {
		return ErrRefused
	}
	if below != nil && pki.Refused(*below) {
		return fmt.Errorf("%s: %w", messages.Sentence(*below), ErrRejected)
	}
	if below != nil {
		return fmt.Errorf("%w: %w", *below, ErrUnreachable)
	}
	if errors.Is(err, ErrUnreachable) {
		return err
	}
	return fmt.Errorf("%s: %w", status.Convert(err).Message(), ErrUnreachable)
}

// exchange sends and receives until the stream ends, and says why it did.
func (l *link) exchange(ctx context.Context, s *stream, attempt int) error {
	l.mu.Lock()
	if l.attempt != attempt || l.state != dialing {
		l.mu.Unlock()
		return errEnded
	}
	l.state, l.noted = up, ""
	l.mu.Unlock()
	l.tally.ups.Add(1)
	l.log.Debug().Str("member", s.with.Member).Msg("connected")
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.stop(attempt, l.read(s))
	}()
	if err := l.write(ctx, s, attempt); err != nil && err != io.EOF {
		l.stop(attempt, err)
	}
	<-done
	return context.Cause(ctx)
}

func (l *link) read(s *stream) error {
	for {
		frames := &messages.Frames{}
		if err := s.RecvMsg(frames); err == io.EOF {
			return errEnded
		} else if err != nil {
			return errors.New(status.Convert(err).Message())
		}
		if err := l.receive(frames, s.with); err != nil {
			return err
		}
	}
}

func (l *link) write(ctx context.Context, s *stream, attempt int) error {
	old := time.NewTimer(l.d.c.life())
	defer old.Stop()
	var batch []item
	for {
		batch = l.next(batch[:0])
		if len(batch) == 0 {
			select {
			case <-l.wake:
				gather()
			case <-old.C:
				if l.renew(attempt) {
					return nil
				}
				old.Reset(renewEvery)
			case <-ctx.Done():
				return nil
			}
			continue
		}
		if err := s.SendMsg(batch); err != nil {
			return err
		}
		l.tally.sent(batch)
		l.told(batch)
		clear(batch)
	}
}

// next takes what goes out now: from here on it may have been carried out.
func (l *link) next(batch []item) []item {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch = l.out.take(batch)
	for _, it := range batch {
		if it.call != nil {
			it.call.sent = true
		}
	}
	return batch
}

// told ends the tells of a batch that was sent.
func (l *link) told(batch []item) {
	for _, it := range batch {
		if it.call == nil || !it.call.tell {
			continue
		}
		l.mu.Lock()
		ended := l.end(it.call)
		l.mu.Unlock()
		if ended && it.call.reply != nil {
			it.call.reply(nil, nil)
		}
	}
}
