package auth

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/access"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// watcher can tell when a grain has changed.
type watcher interface {
	Watch(ctx context.Context, ref actors.Ref, get proto.Message) (<-chan watch.Change, error)
}

var _ watcher = (*cluster.Client)(nil)

// follow has every session checked again when rights have changed, through whichever
// gateway, until the node stops. Where that cannot be heard, Recheck finds it out.
func (a *Auth) follow() error {
	w, ok := a.cfg.Client.(watcher)
	if !ok {
		return nil
	}
	changes, err := w.Watch(context.Background(), access.Ref, &messages.GetRegistryAccess{})
	if err != nil {
		return err
	}
	go func() {
		for range changes {
			a.changes.Add(1)
		}
	}()
	return nil
}
