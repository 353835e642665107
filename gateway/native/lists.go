package native

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/messages"
)

func (f *Front) instances(ctx context.Context, m *messages.GetInstances) (proto.Message, error) {
	l := list[*messages.InstanceView]{
		cloud: f.cloud, prefixes: []string{instance.IndexPrefix(m.GetScope())},
		empty: func() *messages.InstanceView { return &messages.InstanceView{} },
		shows: func(string, *messages.InstanceView) bool { return true },
	}
	found, next, err := l.read(ctx, page{after: m.GetAfter(), limit: m.GetLimit()})
	return &messages.InstancesView{Instances: found, Next: next}, err
}

func (f *Front) flavors(ctx context.Context, m *messages.GetFlavors) (proto.Message, error) {
	found, next, err := f.flavorList(m.GetScope()).read(ctx, page{m.GetName(), m.GetAfter(), m.GetLimit()})
	return &messages.FlavorsView{Flavors: found, Next: next}, err
}

func (f *Front) flavorList(scope string) list[*messages.Flavor] {
	return list[*messages.Flavor]{
		cloud: f.cloud, prefixes: []string{flavor.IndexPrefix},
		empty: func() *messages.Flavor { return &messages.Flavor{} },
		shows: func(_ string, v *messages.Flavor) bool {
			return scope == "" || !v.Disabled && (v.Public || slices.Contains(v.Access, scope))
		},
		is: func(v *messages.Flavor, named string) bool { return v.Id == named || v.Name == named },
		id: func(v *messages.Flavor) string { return v.Id },
	}
}

func (f *Front) images(ctx context.Context, m *messages.GetImages) (proto.Message, error) {
	found, next, err := f.imageList(m.GetScope()).read(ctx, page{m.GetName(), m.GetAfter(), m.GetLimit()})
	return &messages.ImagesView{Images: found, Next: next}, err
}

// imageList: a project sees its own, the public ones and those that it has
// accepted. Its own public ones stand among the public.
func (f *Front) imageList(scope string) list[*messages.ImageView] {
	prefixes := []string{image.IndexAll}
	own := ""
	if scope != "" {
		own = image.IndexProject(scope)
		prefixes = []string{own, image.IndexMember(scope, "accepted"), image.IndexPublic}
	}
	return list[*messages.ImageView]{
		cloud: f.cloud, prefixes: prefixes,
		empty: func() *messages.ImageView { return &messages.ImageView{} },
		shows: func(prefix string, v *messages.ImageView) bool {
			switch {
			case prefix == own:
				return v.Visibility != image.Public
			case strings.HasPrefix(prefix, image.IndexPublic):
				return !v.Hidden || v.ProjectId == scope
			}
			return true
		},
		is: func(v *messages.ImageView, named string) bool { return v.Id == named || v.Name == named },
		id: func(v *messages.ImageView) string { return v.Id },
	}
}

func (f *Front) networks(ctx context.Context, m *messages.GetNetworks) (proto.Message, error) {
	found, next, err := f.networkList(m.GetScope()).read(ctx, page{m.GetName(), m.GetAfter(), m.GetLimit()})
	return &messages.NetworksView{Networks: found, Next: next}, err
}

// networkList: a project sees its own and the shared ones.
func (f *Front) networkList(scope string) list[*messages.NetworkView] {
	prefixes := []string{network.IndexAll}
	own := ""
	if scope != "" {
		own = network.IndexProject(scope)
		prefixes = []string{own, network.IndexShared}
	}
	return list[*messages.NetworkView]{
		cloud: f.cloud, prefixes: prefixes,
		empty: func() *messages.NetworkView { return &messages.NetworkView{} },
		shows: func(prefix string, v *messages.NetworkView) bool { return prefix != own || !v.Shared },
		is:    func(v *messages.NetworkView, named string) bool { return v.Id == named || v.Name == named },
		id:    func(v *messages.NetworkView) string { return v.Id },
	}
}
