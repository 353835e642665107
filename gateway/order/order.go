// Package order owns what it takes to order a server, in whatever dialect it is
// asked for: what the order refers to is looked up with the actors that know it
// and judged together, and what was left open gets its default. It decodes and
// renders nothing, and holds no server back: its project and its host decide.
package order

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// Cloud is what is needed of the actor system; *cluster.Client is one.
type Cloud interface {
	cluster.Asker
	List(ctx context.Context, page cluster.Page) (entries []actors.Entry, more bool, err error)
}

// Desk takes the orders of one caller. What the caller cannot see is refused as
// Invalid: in an order, a reference to nothing is a mistake of whoever wrote it.
type Desk struct {
	Cloud   Cloud
	Scope   string // the project that the caller is confined to; "": an operator
	Project string // whose the server will be
	User    string
}

// operator says whether the caller may see and do everything.
func (d Desk) operator() bool { return d.Scope == "" }

// What dialects have words of their own for. All wrap messages.Invalid.
var (
	ErrNoImage = fmt.Errorf("image could not be found: %w", messages.Invalid)
	ErrNoKey   = fmt.Errorf("key pair could not be found: %w", messages.Invalid)
)

// unless makes why of err if that means that the caller sees no such thing.
func unless(err, why error) error {
	if errors.Is(err, messages.NotFound) || errors.Is(err, messages.Denied) {
		return why
	}
	return err
}

// invalid is a sentence about the order.
func invalid(format string, args ...any) error { return refuse(messages.Invalid, format, args...) }

func refuse(kind error, format string, args ...any) error {
	return &messages.Refusal{Kind: kind, Sentence: fmt.Sprintf(format, args...)}
}

// maxShown is how much of a caller's word is repeated to it, in bytes.
const maxShown = 512

func shown(s string) string {
	if len(s) > maxShown {
		return strings.ToValidUTF8(s[:maxShown], "") + "..."
	}
	return s
}

// Each calls visit with every index entry below prefix, in order, until visit
// says it has enough.
func Each(ctx context.Context, cloud Cloud, prefix string, visit func(actors.Entry) (more bool, err error)) error {
	return EachFrom(ctx, cloud, cluster.Page{Prefix: prefix}, visit)
}

// EachFrom is Each from a page on.
func EachFrom(ctx context.Context, cloud Cloud, page cluster.Page, visit func(actors.Entry) (more bool, err error)) error {
	for {
		entries, more, err := cloud.List(ctx, page)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if on, err := visit(e); err != nil || !on {
				return err
			}
		}
		if !more || len(entries) == 0 {
			return nil
		}
		page.After = entries[len(entries)-1].Key
	}
}

// Read makes m of an index entry's value.
func Read[T proto.Message](e actors.Entry, m T) (T, error) {
	if err := proto.Unmarshal(e.Value, m); err != nil {
		return m, fmt.Errorf("index entry %s: %w: %w", e.Key, err, messages.Internal)
	}
	return m, nil
}
