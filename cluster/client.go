// Package cluster owns the runtime: the one shell that runs every kind of grain
// (load, step, commit, perform, reply), the node that hosts them, the client
// that reaches them and the store that outlives them. It decides nothing about
// the cloud. Only this package imports protoactor.
package cluster

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Asker is what can ask grains: *Client, or a stand-in.
type Asker interface {
	Ask(ctx context.Context, to actors.Ref, m proto.Message) (proto.Message, error)
}

// Page asks for index entries: those below Prefix that come after the key After.
type Page struct {
	Prefix string // below "index/", e.g. "instance/<project>/"
	After  string // a key of an earlier answer; empty: from the start
	Limit  int    // 0: store.DefaultListSize
}

// Ask asks and expects an answer of type T.
func Ask[T proto.Message](ctx context.Context, c Asker, to actors.Ref, m proto.Message) (T, error) {
	var none T
	got, err := c.Ask(ctx, to, m)
	if err != nil {
		return none, err
	}
	t, ok := got.(T)
	if !ok {
		return none, fmt.Errorf("%v answered %T with %T: %w", to, m, got, messages.Internal)
	}
	return t, nil
}

type requestKey struct{}

// WithRequest marks ctx with the id of the outer request: it is kept in the
// history of what the request does, and the same command asked of the same grain
// twice under the same id is done once.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestID is what WithRequest put there, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}
