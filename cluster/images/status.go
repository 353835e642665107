package images

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/messages"
)

var statuses = []struct {
	kind error
	code codes.Code
}{
	{messages.Invalid, codes.InvalidArgument},
	{messages.NotFound, codes.NotFound},
	{messages.Conflict, codes.FailedPrecondition},
	{messages.Exhausted, codes.ResourceExhausted},
	{messages.Denied, codes.PermissionDenied},
	{messages.Unavailable, codes.Unavailable},
	{messages.Internal, codes.Internal},
}

// toStatus is an error as gRPC sends it. One of no kind keeps its text, for it
// only goes to another node.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	for _, s := range statuses {
		if errors.Is(err, s.kind) {
			return status.Error(s.code, messages.Sentence(err))
		}
	}
	return status.Error(codes.Internal, err.Error())
}

// fromStatus is toStatus's inverse. What gRPC itself says (a connection that
// broke, a deadline) is Unavailable.
func fromStatus(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	for _, known := range statuses {
		if known.code == s.Code() {
			return &messages.Refusal{Kind: known.kind, Sentence: s.Message()}
		}
	}
	return &messages.Refusal{Kind: messages.Unavailable, Sentence: s.Message()}
}
