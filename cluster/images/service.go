package images

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// The service's methods; proto/blobs.proto says what they take and answer.
const (
	serviceName = "troupe.Blobs"
	servicePath = "/" + serviceName + "/"

	methodHave    = "Have"
	methodSums    = "Sums"
	methodFetch   = "Fetch"
	methodKeep    = "Keep"
	methodRelease = "Release"
	methodDiscard = "Discard"
	methodDoubt   = "Doubt"
)

// Register adds the service to a server. Every call is put to Config.Authorize.
func (i *Images) Register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: serviceName, HandlerType: (*any)(nil), Metadata: "blobs.proto",
		Methods: []grpc.MethodDesc{
			unary(methodHave, (*Images).serveHave), unary(methodSums, (*Images).serveSums),
			unary(methodRelease, (*Images).serveRelease), unary(methodDiscard, (*Images).serveDiscard),
			unary(methodDoubt, (*Images).serveDoubt),
		},
		Streams: []grpc.StreamDesc{
			streaming(methodFetch, (*Images).serveFetch), streaming(methodKeep, (*Images).serveKeep),
		},
	}, i)
}

// message is a pointer to a message that can be made.
type message[T any] interface {
	*T
	proto.Message
}

func unary[In any, P message[In], Out proto.Message](name string, serve func(*Images, context.Context, P) (Out, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		in := P(new(In))
		if err := decode(in); err != nil {
			return nil, err
		}
		handle := func(ctx context.Context, in any) (any, error) {
			i := srv.(*Images)
			if err := i.cfg.Authorize(ctx); err != nil {
				return nil, toStatus(err)
			}
			out, err := serve(i, ctx, in.(P))
			return out, toStatus(err)
		}
		if intercept == nil {
			return handle(ctx, in)
		}
		return intercept(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: servicePath + name}, handle)
	}}
}

func streaming[In any, P message[In], Out proto.Message](name string, serve func(*Images, context.Context, P, func(Out) error) error) grpc.StreamDesc {
	return grpc.StreamDesc{StreamName: name, ServerStreams: true, Handler: func(srv any, s grpc.ServerStream) error {
		in := P(new(In))
		if err := s.RecvMsg(in); err != nil {
			return err
		}
		i := srv.(*Images)
		if err := i.cfg.Authorize(s.Context()); err != nil {
			return toStatus(err)
		}
		return toStatus(serve(i, s.Context(), in, func(out Out) error { return s.SendMsg(out) }))
	}}
}

// named refuses what cannot be the name of a content.
func named(sha256 string) error {
	if !validName(sha256) {
		return errName(sha256)
	}
	return nil
}

// serveHave answers from memory.
func (i *Images) serveHave(_ context.Context, in *messages.AskBlobs) (*messages.BlobsHeld, error) {
	if len(in.Sha256) > maxBatch {
		return nil, errBatch
	}
	out := &messages.BlobsHeld{Store: i.backend.Name()}
	i.local.Under(func(has func(string) (int64, bool)) {
		for _, sha256 := range in.Sha256 {
			size, ok := has(sha256)
			out.Held = append(out.Held, &messages.BlobHeld{Whole: ok, Size: size, Keeper: ok && i.backend.Bound(sha256)})
		}
	})
	if !in.Seeking {
		return out, nil
	}
	for n, sha256 := range in.Sha256 {
		held := out.Held[n]
		if held.Whole || i.partOf(sha256, held) {
			held.Others = i.seekers.others(sha256, in.From)
			i.seekers.add(sha256, in.From)
		}
	}
	return out, nil
}

// partOf adds which pieces are here.
func (i *Images) partOf(sha256 string, held *messages.BlobHeld) bool {
	p, ok := i.local.Partial(sha256)
	if !ok {
		return false
	}
	held.Size, held.Pieces = p.Sums().Size, packBits(p.Have())
	return true
}

func (i *Images) serveSums(ctx context.Context, in *messages.AskBlob) (*messages.BlobSums, error) {
	if err := named(in.Sha256); err != nil {
		return nil, err
	}
	sums, err := i.sumsOf(ctx, in.Sha256)
	if err != nil {
		return nil, err
	}
	return &messages.BlobSums{Size: sums.Size, PieceBytes: sums.PieceBytes, Sums: sums.Joined()}, nil
}

// sumsOf makes sums once, however many ask for them at once: the whole content may
// have to be read.
func (i *Images) sumsOf(ctx context.Context, sha256 string) (*blobs.Sums, error) {
	done := i.summing.DoChan(sha256, func() (any, error) { return i.local.Sums(i.ctx, sha256) })
	select {
	case r := <-done:
		sums, _ := r.Val.(*blobs.Sums)
		return sums, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (i *Images) serveRelease(_ context.Context, in *messages.ReleaseBlob) (*messages.Done, error) {
	i.holds.release(in.Sha256, in.Token)
	return &messages.Done{}, nil
}

func (i *Images) serveDiscard(ctx context.Context, in *messages.AskBlob) (*messages.Done, error) {
	if err := named(in.Sha256); err != nil {
		return nil, err
	}
	return &messages.Done{}, i.discardHere(ctx, in.Sha256, i.cfg.Wanted)
}

// serveDoubt has the content read again, if nobody does so already.
func (i *Images) serveDoubt(_ context.Context, in *messages.AskBlob) (*messages.Done, error) {
	if err := named(in.Sha256); err != nil {
		return nil, err
	}
	i.log.Warn().Str("sha256", in.Sha256).Str("by", in.From).Msg("a content of ours is doubted")
	i.doubt(in.Sha256)
	return &messages.Done{}, nil
}
