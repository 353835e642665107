package images

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// call asks a member one question.
func (i *Images) call(ctx context.Context, to view.Member, method string, in, out proto.Message) error {
	conn, err := i.cfg.Conn(to)
	if err != nil {
		return err
	}
	return fromStatus(conn.Invoke(ctx, servicePath+method, in, out))
}

// have asks a member about contents.
func (i *Images) have(ctx context.Context, to view.Member, seeking bool, sha256 ...string) ([]*messages.BlobHeld, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	out := &messages.BlobsHeld{}
	if err := i.call(ctx, to, methodHave, &messages.AskBlobs{From: i.cfg.Self, Sha256: sha256, Seeking: seeking}, out); err != nil {
		return nil, err
	}
	held := out.Held
	for len(held) < len(sha256) { // what was not answered is not there
		held = append(held, &messages.BlobHeld{})
	}
	return held[:len(sha256)], nil
}

// about sends a member a question of one content that is answered by Done.
func (i *Images) about(ctx context.Context, to view.Member, method, sha256 string) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return i.call(ctx, to, method, &messages.AskBlob{From: i.cfg.Self, Sha256: sha256}, &messages.Done{})
}

// stream asks a member something that has several answers, until ctx ends.
func stream[T proto.Message](ctx context.Context, i *Images, to view.Member, method string, in proto.Message, make func() T) (func() (T, error), error) {
	var none T
	conn, err := i.cfg.Conn(to)
	if err != nil {
		return nil, err
	}
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, servicePath+method)
	if err == nil {
		err = s.SendMsg(in)
	}
	if err == nil {
		err = s.CloseSend()
	}
	if err != nil {
		return nil, fromStatus(err)
	}
	return func() (T, error) {
		out := make()
		if err := s.RecvMsg(out); err != nil {
			return none, fromStatus(err)
		}
		return out, nil
	}, nil
}
