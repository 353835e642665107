package identity

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// CheckPassword is the id of the user of the Default domain that has this name and
// password, for the other dialects. Failures are counted as those of any login.
// Denied if they do not fit, with no word about which of them is wrong.
func (i *Identity) CheckPassword(ctx context.Context, name, password string) (string, error) {
	if cluster.RequestID(ctx) == "" { // or every guess would pass for the first one's repetition
		ctx = cluster.WithRequest(ctx, "login-"+newID())
	}
	id, err := i.checkPassword(ctx, &messages.UserRef{Name: name, DomainId: directory.DefaultDomainID}, password)
	return id, unauthenticated(err)
}

// HashPassword is the hash of a new password, as the directory keeps it.
func (i *Identity) HashPassword(ctx context.Context, password string) (string, error) {
	return i.hashes.hash(ctx, password)
}

// Change has the directory do something for another dialect, after which no
// session checked before is believed here.
func (i *Identity) Change(ctx context.Context, m proto.Message) error { return i.change(ctx, m) }
