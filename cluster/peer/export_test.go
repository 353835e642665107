package peer

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits that tests reach.
const (
	MaxQueuedFrames  = maxQueuedFrames
	MaxQueuedBytes   = maxQueuedBytes
	MaxUnanswered    = maxUnanswered
	MaxServingClient = maxServingClient
	MaxClientStreams = maxClientStreams
	ExchangeMethod   = exchangeMethod
)

// ExchangeDesc opens a stream by hand.
func ExchangeDesc() *grpc.StreamDesc { return &service.Streams[0] }

// Receive puts bytes through what a node does with a message that somebody sent
// it, and through what it does with one from somebody that it has called.
func Receive(raw []byte, self view.Member, h Handler) error {
	d, err := NewDialer(Config{Self: self, Cluster: "c", Handler: h})
	if err != nil {
		return err
	}
	defer d.Close()
	frames := &messages.Frames{}
	if err := d.codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(raw)}, frames); err != nil {
		return err
	}
	l := newLink(d, view.Member{Name: "b"})
	l.state, l.cancel = up, func(error) {}
	l.calls[1] = &call{id: 1, reply: func(*messages.Reply, error) {}}
	l.calls[2] = &call{id: 2, pong: func(*messages.Pong, error) {}}
	if err := l.receive(proto.CloneOf(frames), Identity{Role: RoleNode, Name: "b"}); err != nil {
		return err
	}
	s := &Server{Dialer: d, sessions: map[uint64]*session{}}
	x := newSession(s, Identity{Role: RoleNode, Name: "b"}, "", &traffic{})
	err = x.receive(frames)
	s.running.Wait()
	x.out.take(nil)
	return err
}
