package order

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// listed is a cloud of which there is only an index.
type listed struct {
	Cloud
	entries []actors.Entry
	fails   string // prefix
}

var errList = errors.New("no list")

func (l listed) List(_ context.Context, p cluster.Page) (found []actors.Entry, _ bool, _ error) {
	if l.fails == p.Prefix {
		return nil, false, errList
	}
	for _, e := range l.entries {
		if strings.HasPrefix(e.Key, p.Prefix) && e.Key > p.After {
			found = append(found, e)
		}
	}
	return found, false, nil
}

func (l listed) with(t *testing.T, prefix string, n *messages.NetworkView) listed {
	raw, err := proto.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	l.entries = append(l.entries, actors.Entry{Key: prefix + n.Id, Value: raw})
	return l
}

func TestOnlyNetwork(t *testing.T) {
	t.Parallel()
	own, shared := network.IndexProject("p"), network.IndexShared
	usable := func(id string) *messages.NetworkView {
		return &messages.NetworkView{Id: id, Subnets: []*messages.Subnet{{Id: "s"}}}
	}
	down := usable("down")
	down.AdminStateDown = true
	for name, tt := range map[string]struct {
		cloud listed
		want  string
		err   error
	}{
		"none":                 {cloud: listed{}},
		"its own":              {cloud: listed{}.with(t, own, usable("a")), want: "a"},
		"a shared one":         {cloud: listed{}.with(t, shared, usable("a")), want: "a"},
		"its own, shared":      {cloud: listed{}.with(t, own, usable("a")).with(t, shared, usable("a")), want: "a"},
		"two of its own":       {cloud: listed{}.with(t, own, usable("a")).with(t, own, usable("b")), err: messages.Conflict},
		"two shared":           {cloud: listed{}.with(t, shared, usable("a")).with(t, shared, usable("b")), err: messages.Conflict},
		"one of each":          {cloud: listed{}.with(t, own, usable("a")).with(t, shared, usable("b")), err: messages.Conflict},
		"another's":            {cloud: listed{}.with(t, network.IndexProject("q"), usable("a"))},
		"one that is down":     {cloud: listed{}.with(t, own, down).with(t, shared, usable("b")), want: "b"},
		"one without a subnet": {cloud: listed{}.with(t, own, &messages.NetworkView{Id: "a"}).with(t, shared, usable("b")), want: "b"},
		"no list of its own":   {cloud: listed{fails: own}, err: errList},
		"no list of shared":    {cloud: listed{fails: shared}.with(t, own, usable("a")), err: errList},
	} {
		d := Desk{Cloud: tt.cloud, Project: "p"}
		got, err := d.OnlyNetwork(t.Context())
		if !errors.Is(err, tt.err) || tt.err == nil && got.GetId() != tt.want {
			t.Errorf("%s: got %q, %v", name, got.GetId(), err)
		}
	}
}
