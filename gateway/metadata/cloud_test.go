package metadata

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// fewGuests is an index with what its instances say.
type fewGuests struct {
	entries   []actors.Entry
	instances map[string]*messages.InstanceView
}

func (f fewGuests) Ask(_ context.Context, to actors.Ref, _ proto.Message) (proto.Message, error) {
	if v, ok := f.instances[to.ID]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("no %s: %w", to, messages.NotFound)
}

func (f fewGuests) List(_ context.Context, p cluster.Page) ([]actors.Entry, bool, error) {
	for _, e := range f.entries {
		if len(e.Key) >= len(p.Prefix) && e.Key[:len(p.Prefix)] == p.Prefix {
			return []actors.Entry{e}, false, nil
		}
	}
	return nil, false, nil
}

func (f fewGuests) Watch(context.Context, actors.Ref, proto.Message) (<-chan watch.Change, error) {
	return nil, messages.Unavailable
}

func TestByAddress(t *testing.T) { // table: one row, one address
	at := func(address string) []*messages.Port { return []*messages.Port{{NetworkId: "n", Address: address}} }
	c := fewGuests{
		entries: []actors.Entry{
			{Key: network.IndexAddress("n", "10.0.0.12"), Value: []byte("a")},
			{Key: network.IndexAddress("n", "10.0.0.2"), Value: []byte("b")},
			{Key: network.IndexAddress("n", "10.0.0.3"), Value: []byte("gone")},
		},
		instances: map[string]*messages.InstanceView{
			"a": {Id: "a", Ports: at("10.0.0.12")},
			"b": {Id: "b", Ports: at("10.0.0.99")},
		},
	}
	for address, want := range map[string]string{
		"10.0.0.12": "a",
		"10.0.0.1":  "", // only a prefix of somebody's
		"10.0.0.2":  "", // the instance has another one by now
		"10.0.0.3":  "", // the instance is gone
	} {
		got, err := ByIndex{c}.ByAddress(t.Context(), "n", netip.MustParseAddr(address))
		if want == "" && !errors.Is(err, messages.NotFound) || want != "" && got.GetId() != want {
			t.Errorf("%s: got %v, %v, want %q", address, got, err, want)
		}
	}
}
