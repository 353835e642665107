package pki

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/troupe-cloud/troupe/messages"
)

// joinService is the one service that a process without a certificate may call.
const joinService = "troupe.Join"

// handshakeTimeout is how long a connection may take until it can be used.
const handshakeTimeout = 10 * time.Second

// Server is what ServerOptions need of a Source.
type Server interface{ ServerConfig() *tls.Config }

// ServerOptions make a gRPC server that asks for certificates: a node may call
// everything, a client the services named (e.g. "troupe.Peer"), and who has no
// certificate only troupe.Join, on a connection that carries little and does
// not live long. It is decided before anything of a call is read.
//
// A connection ends with the certificate it was made with: who has a call on it
// that lasts for long makes it anew in time (Source.Changed).
func ServerOptions(s Server, clients ...string) []grpc.ServerOption {
	g := gate{now: time.Now, clients: clients}
	return []grpc.ServerOption{
		grpc.Creds(newServerCredentials(s)),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.InTapHandle(g.tap),
		// The tap is marked experimental by its makers. Should it ever go
		// quiet, these still stand.
		grpc.ChainUnaryInterceptor(g.unary),
		grpc.ChainStreamInterceptor(g.stream),
	}
}

// ClientCredentials are for dialling the node of this name; "" is any node.
func ClientCredentials(s *Source, name string) credentials.TransportCredentials {
	return credentials.NewTLS(s.ClientConfig(name))
}

// FromContext is who calls, on the side that is called. ErrNoCertificate if the
// caller showed none.
func FromContext(ctx context.Context) (Identity, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Identity{}, ErrNoCertificate
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return Identity{}, ErrNoCertificate
	}
	return PeerIdentity(info.State)
}

type gate struct {
	now     func() time.Time
	clients []string // services that clients may call
}

// check decides whether the caller may call method, e.g. /troupe.Peer/Exchange.
func (g gate) check(ctx context.Context, method string) error {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	if service == joinService {
		return nil // it decides itself
	}
	id, err := FromContext(ctx)
	if err != nil {
		return grpcError(err)
	}
	if g.now().After(id.Until) {
		return grpcError(refuse(ErrExpired, "the certificate of %v, with which this connection was made, has expired at %s", id, stamp(id.Until)))
	}
	if id.Role == Node || id.Role == Client && slices.Contains(g.clients, service) {
		return nil
	}
	return grpcError(refuse(ErrRole, "%v may not call %s: only nodes may", id, service))
}

func (g gate) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	return ctx, g.check(ctx, info.FullMethodName)
}

func (g gate) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := g.check(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (g gate) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := g.check(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, stream)
}

// grpcCodes are the kinds of error as gRPC's status codes.
var grpcCodes = map[error]codes.Code{
	messages.Invalid: codes.InvalidArgument, messages.NotFound: codes.NotFound, messages.Conflict: codes.AlreadyExists,
	messages.Exhausted: codes.ResourceExhausted, messages.Denied: codes.PermissionDenied,
	messages.Unavailable: codes.Unavailable, messages.Internal: codes.Internal,
}

// grpcError is err for the wire; what has no kind is not told.
func grpcError(err error) error {
	if err == nil {
		return nil
	}
	for kind, code := range grpcCodes {
		if errors.Is(err, kind) {
			return status.Error(code, messages.Sentence(err))
		}
	}
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_UNAVAILABLE {
		return status.Error(codes.Unavailable, messages.Sentence(err))
	}
	return status.Error(codes.Internal, messages.Sentence(err))
}

// ourError is an error off the wire as one of our kinds.
func ourError(err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	for kind, code := range grpcCodes {
		if s.Code() == code {
			return &messages.Refusal{Kind: kind, Sentence: s.Message()}
		}
	}
	switch s.Code() {
	case codes.DeadlineExceeded, codes.Canceled, codes.Unknown:
		return &messages.Refusal{Kind: messages.Unavailable, Sentence: s.Message()}
	}
	return &messages.Refusal{Kind: messages.Internal, Sentence: s.Message()}
}
