package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
)

// A name is tried as an id first, then as a name; two things of one name are an
// error that lists their ids.

func missing(err error) bool { return gophercloud.ResponseCodeIs(err, http.StatusNotFound) }

// only picks the one item; what it is called is for the error.
func only[T any](what, name string, found []T, id func(T) string) (T, error) {
	var none T
	switch len(found) {
	case 0:
		return none, notFound(what, name)
	case 1:
		return found[0], nil
	}
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = id(f)
	}
	return none, usage(fmt.Errorf("%d %ss have the name %q; say which by its id: %v", len(found), what, name, ids))
}

func findServer(ctx context.Context, c *gophercloud.ServiceClient, name string) (servers.Server, error) {
	if s, err := servers.Get(ctx, c, url.PathEscape(name)).Extract(); err == nil {
		return *s, nil
	} else if !missing(err) {
		return servers.Server{}, err
	}
	pages, err := servers.List(c, servers.ListOpts{Name: "^" + regexp.QuoteMeta(name) + "$"}).AllPages(ctx)
	if err != nil {
		return servers.Server{}, err
	}
	all, err := servers.ExtractServers(pages)
	if err != nil {
		return servers.Server{}, err
	}
	return only("server", name, all, func(s servers.Server) string { return s.ID })
}

func findImage(ctx context.Context, c *gophercloud.ServiceClient, name string) (images.Image, error) {
	if i, err := images.Get(ctx, c, url.PathEscape(name)).Extract(); err == nil {
		return *i, nil
	} else if !missing(err) {
		return images.Image{}, err
	}
	pages, err := images.List(c, images.ListOpts{Name: name}).AllPages(ctx)
	if err != nil {
		return images.Image{}, err
	}
	all, err := images.ExtractImages(pages)
	if err != nil {
		return images.Image{}, err
	}
	return only("image", name, all, func(i images.Image) string { return i.ID })
}

func findFlavor(ctx context.Context, c *gophercloud.ServiceClient, name string) (flavors.Flavor, error) {
	if f, err := flavors.Get(ctx, c, url.PathEscape(name)).Extract(); err == nil {
		return *f, nil
	} else if !missing(err) {
		return flavors.Flavor{}, err
	}
	all, err := allFlavors(ctx, c)
	if err != nil {
		return flavors.Flavor{}, err
	}
	return only("flavor", name, matching(all, name, func(f flavors.Flavor) string { return f.Name }),
		func(f flavors.Flavor) string { return f.ID })
}

func findNetwork(ctx context.Context, c *gophercloud.ServiceClient, name string) (networks.Network, error) {
	if n, err := networks.Get(ctx, c, url.PathEscape(name)).Extract(); err == nil {
		return *n, nil
	} else if !missing(err) {
		return networks.Network{}, err
	}
	pages, err := networks.List(c, networks.ListOpts{Name: name}).AllPages(ctx)
	if err != nil {
		return networks.Network{}, err
	}
	all, err := networks.ExtractNetworks(pages)
	if err != nil {
		return networks.Network{}, err
	}
	return only("network", name, all, func(n networks.Network) string { return n.ID })
}

// matching keeps the items whose name is exactly name.
func matching[T any](items []T, name string, nameOf func(T) string) []T {
	var found []T
	for _, i := range items {
		if nameOf(i) == name {
			found = append(found, i)
		}
	}
	return found
}
