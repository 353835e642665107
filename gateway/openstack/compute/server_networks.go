package compute

import (
	"errors"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// maxInterfaces is how many network interfaces a server may have.
const maxInterfaces = 16

// networks says on which networks the server gets addresses. Nothing said, an
// empty list and "auto" mean the one network that the project may use.
func (a *API) networks(r *api.Request, field networksField, count int) ([]*messages.NetworkRequest, error) {
	switch {
	case field.Word == "none":
		return nil, nil
	case len(field.List) > maxInterfaces:
		return nil, badRequest("A server may have %d network interfaces.", maxInterfaces)
	case len(field.List) > 0:
		return a.listedNetworks(r, field.List, count)
	}
	n, err := a.onlyNetwork(r)
	switch {
	case err != nil:
		return nil, err
	case n == nil && field.Word == "auto":
		return nil, badRequest("Unable to automatically allocate a network for project %s", r.Principal.ProjectID)
	case n == nil:
		return nil, nil
	}
	return []*messages.NetworkRequest{{NetworkId: n.Id}}, nil
}

// onlyNetwork is the network the project may use, if there is exactly one; nil
// if there is none.
func (a *API) onlyNetwork(r *api.Request) (*messages.NetworkView, error) {
	var only *messages.NetworkView
	for _, prefix := range []string{network.IndexProject(r.Principal.ProjectID), network.IndexShared} {
		err := a.each(r.Context(), prefix, func(e actors.Entry) (bool, error) {
			n, err := read(e, &messages.NetworkView{})
			switch {
			case err != nil:
				return false, err
			case len(n.Subnets) == 0 || n.AdminStateDown || only != nil && only.Id == n.Id:
				return true, nil
			case only != nil:
				return false, conflict("Multiple possible networks found, use a Network ID to be more specific.")
			}
			only = n
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return only, nil
}

func (a *API) listedNetworks(r *api.Request, items []networkItem, count int) ([]*messages.NetworkRequest, error) {
	var requests []*messages.NetworkRequest
	ports := map[string]bool{}
	for _, item := range items {
		var n *messages.NetworkRequest
		var err error
		switch {
		case item.Port != nil && *item.Port != "":
			n, err = a.byPort(r, item, ports, count)
		case item.UUID == nil:
			err = badRequest("Bad network format: missing 'uuid'")
		default:
			n, err = a.byNetwork(r, item, count)
		}
		if err != nil {
			return nil, err
		}
		requests = append(requests, n)
	}
	return requests, nil
}

// byPort joins the server to a port that exists.
func (a *API) byPort(r *api.Request, item networkItem, seen map[string]bool, count int) (*messages.NetworkRequest, error) {
	id := canonical(*item.Port)
	switch {
	case seen[id]:
		return nil, badRequest("Port ID '%s' was specified twice: you cannot attach a port multiple times.", id)
	case item.FixedIP != "":
		return nil, badRequest("Specified Fixed IP '%s' cannot be used with port '%s': the two cannot be specified together.", item.FixedIP, id)
	case count > 1:
		return nil, badRequest("Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.")
	}
	seen[id] = true
	port, err := a.findPort(r, id)
	switch {
	case err != nil:
		return nil, err
	case port == nil:
		return nil, badRequest("Port id %s could not be found.", id)
	case port.InstanceId != "":
		return nil, conflict("Port %s is still in use.", id)
	}
	return &messages.NetworkRequest{NetworkId: port.Port.NetworkId, PortId: id}, nil
}

// findPort is the port with that id, if the caller may see it; else nil. The
// index knows its network, and the network knows the port.
func (a *API) findPort(r *api.Request, id string) (port *messages.PortView, err error) {
	key := network.IndexPort(id)
	err = a.each(r.Context(), key, func(e actors.Entry) (bool, error) {
		if e.Key != key {
			return true, nil
		}
		port, err = cluster.Ask[*messages.PortView](r.Context(), a.cloud, networkRef(string(e.Value)),
			&messages.GetPort{Scope: r.Principal.Scope(), PortId: id})
		return false, err
	})
	if errors.Is(err, messages.NotFound) || errors.Is(err, messages.Denied) {
		return nil, nil
	}
	return port, err
}

func (a *API) byNetwork(r *api.Request, item networkItem, count int) (*messages.NetworkRequest, error) {
	if !uuidLike(*item.UUID) {
		return nil, badRequest("Bad networks format: network uuid is not in proper format (%s)", clip(*item.UUID))
	}
	if item.FixedIP != "" && count > 1 {
		return nil, badRequest("Failed to launch instances: max_count cannot be greater than 1 if an fixed_ip is specified.")
	}
	id := canonical(*item.UUID)
	n, err := cluster.Ask[*messages.NetworkView](r.Context(), a.cloud, networkRef(id), &messages.GetNetwork{Scope: r.Principal.Scope()})
	if err != nil {
		return nil, invalidIfNone(err, "Network %s could not be found.", id)
	}
	if len(n.Subnets) == 0 {
		return nil, badRequest("Network %s requires a subnet in order to boot instances on.", id)
	}
	return &messages.NetworkRequest{NetworkId: id, FixedIp: item.FixedIP}, nil
}

func networkRef(id string) actors.Ref { return actors.Ref{Kind: network.Kind, ID: id} }
