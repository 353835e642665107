package peer

import (
	"context"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// recovered turns a panic into err, and logs it.
func (c *Config) recovered(what string, err *error) {
	if v := recover(); v != nil {
		c.panicked(what, v)
		*err = status.Error(codes.Internal, "internal error")
	}
}

func (c *Config) panicked(what string, v any) {
	c.Log.Error().Str("in", what).Interface("panic", v).Bytes("stack", debug.Stack()).Msg("handler of a peer's message panicked")
}

func (c *Config) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer c.recovered(info.FullMethod, &err)
	return next(ctx, req)
}

func (c *Config) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer c.recovered(info.FullMethod, &err)
	return next(srv, s)
}
