package native

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// index is a cloud that has lists only.
type index map[string]proto.Message

func (index) Ask(context.Context, actors.Ref, proto.Message) (proto.Message, error) {
	return nil, messages.NotFound
}

func (x index) List(_ context.Context, p cluster.Page) (entries []actors.Entry, more bool, err error) {
	var keys []string
	for k := range x {
		if strings.HasPrefix(k, p.Prefix) && k > p.After {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys[:min(p.Limit, len(keys))] {
		value, err := proto.Marshal(x[k])
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, actors.Entry{Key: k, Value: value})
	}
	return entries, len(keys) > p.Limit, nil
}

func networksOf() index {
	x := index{}
	for i := range 7 {
		id := fmt.Sprint("own-", i)
		v := &messages.NetworkView{Id: id, Name: "net", ProjectId: "p", Shared: i == 3}
		x["network/project/p/"+id], x["network/all/"+id] = v, v
		if v.Shared {
			x["network/shared/"+id] = v
		}
	}
	other := &messages.NetworkView{Id: "other", Name: "flat", ProjectId: "q", Shared: true}
	x["network/shared/other"], x["network/all/other"] = other, other
	hidden := &messages.NetworkView{Id: "hidden", ProjectId: "q"}
	x["network/all/hidden"] = hidden
	return x
}

// TestPages: however large pages are, each thing is on one of them, once.
func TestPages(t *testing.T) {
	f := New(networksOf())
	for scope, want := range map[string]int{"": 9, "p": 8, "q": 2, "r": 2} {
		for limit := range int32(11) {
			seen := map[string]int{}
			for after, pages := "", 0; ; pages++ {
				got, err := f.Answer(t.Context(), &messages.GetNetworks{Scope: scope, Limit: limit, After: after})
				if err != nil {
					t.Fatal(err)
				}
				v := got.(*messages.NetworksView)
				if limit > 0 && len(v.Networks) > int(limit) || pages > 10 {
					t.Fatalf("%d on page %d of %d", len(v.Networks), pages, limit)
				}
				for _, n := range v.Networks {
					seen[n.Id]++
				}
				if after = v.Next; after == "" {
					break
				}
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("%q sees %s %d times on pages of %d", scope, id, n, limit)
				}
			}
			if scope != "q" && len(seen) != want || scope == "q" && seen["own-3"] != 1 {
				t.Errorf("%q sees %v on pages of %d", scope, seen, limit)
			}
		}
	}
}

// TestNames: a thing is named by its id or by a name that only it has.
func TestNames(t *testing.T) {
	f := New(networksOf())
	for named, want := range map[string]string{"own-1": "own-1", "flat": "other", "net": "", "": "", "none": "none"} {
		got, err := one(t.Context(), named, "network", f.networkList("p"))
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q is %q, %v", named, got, err)
		}
	}
	if _, err := f.Answer(t.Context(), &messages.GetNetworks{After: "elsewhere/x"}); !errors.Is(err, messages.Invalid) {
		t.Errorf("a page after nothing: %v", err)
	}
	if _, err := f.Answer(t.Context(), &messages.GetHost{}); !errors.Is(err, messages.Invalid) {
		t.Errorf("no question for the cloud: %v", err)
	}
}

func FuzzAfter(f *testing.F) { // where a page begins is a client's word
	for _, seed := range []string{"", "network/all/own-1", "network/project/p/", "index/", "\x00"} {
		f.Add(seed, "p")
	}
	front := New(networksOf())
	f.Fuzz(func(t *testing.T, after, scope string) {
		got, err := front.Answer(t.Context(), &messages.GetNetworks{Scope: scope, After: after})
		if err != nil && !errors.Is(err, messages.Invalid) {
			t.Fatal(err)
		}
		for _, n := range got.(*messages.NetworksView).GetNetworks() {
			if scope != "" && n.ProjectId != scope && !n.Shared {
				t.Errorf("%q sees %v", scope, n)
			}
		}
	})
}
