package peer

import (
	"context"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Who may call which gRPC service. Any other service is for nodes only.
var allowed = map[string][]string{
	"troupe.Join": {"", RoleNode, RoleClient}, // "": without a certificate
	"troupe.Peer": {RoleNode, RoleClient},
}

var nodesOnly = []string{RoleNode}

// admit refuses who may not call that method ("/service/method").
func (c *Config) admit(ctx context.Context, method string) error {
	if c.TLS == nil {
		return nil // loopback only
	}
	who, err := presented(ctx)
	if err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	roles, ok := allowed[service]
	if !ok {
		roles = nodesOnly
	}
	for _, r := range roles {
		if r == who.Role {
			return nil
		}
	}
	if who.Role == "" {
		return status.Error(codes.Unauthenticated, "a certificate of the cluster is needed")
	}
	return status.Errorf(codes.PermissionDenied, "%s is not for a %s", service, who.Role)
}

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
	if err := c.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (c *Config) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer c.recovered(info.FullMethod, &err)
	if err := c.admit(s.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, s)
}
