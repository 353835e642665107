package compute

import (
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/messages"
)

// networks says on which networks the server gets addresses. Nothing said, an
// empty list and "auto" mean the one network that the project may use.
func (a *API) networks(r *api.Request, field networksField, count int) ([]*messages.NetworkRequest, error) {
	switch {
	case field.Word == "none":
		return nil, nil
	case len(field.List) > 0:
		return a.listedNetworks(r, field.List, count)
	}
	n, err := a.desk(r).OnlyNetwork(r.Context())
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

// listedNetworks are those that a body lists.
func (a *API) listedNetworks(r *api.Request, items []networkItem, count int) ([]*messages.NetworkRequest, error) {
	var ordered []order.Interface
	for _, item := range items {
		i := order.Interface{FixedIP: item.FixedIP}
		switch {
		case item.Port != nil && *item.Port != "":
			i.Port = *item.Port
		case item.UUID == nil:
			return nil, badRequest("Bad network format: missing 'uuid'")
		case !uuidLike(*item.UUID):
			return nil, badRequest("Bad networks format: network uuid is not in proper format (%s)", clip(*item.UUID))
		default:
			i.Network = *item.UUID
		}
		ordered = append(ordered, i)
	}
	return a.desk(r).Networks(r.Context(), ordered, count)
}
