package service

import (
	"fmt"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Step decides what a message means for a service.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	if s.live == nil {
		s = restore(s, in)
	}
	switch m := in.Message.(type) {
	case *messages.Activated:
		return s, nil, nil
	case *messages.Woken:
		return woken(s, in)
	case *messages.Nudged:
		next, effects, err := woken(s, in)
		return next, append(effects, evictions(next)...), err
	case *messages.GetService:
		return get(s, m)
	case *messages.RenewEndpoints:
		return renew(s, in, m)
	case *messages.KeepOwners:
		return keepOwners(s, in, m)
	case *messages.RegisterEndpoints:
		return register(s, in, m)
	case *messages.AnnounceEndpoint:
		return announce(s, in, m)
	case *messages.DeregisterEndpoints:
		return deregister(s, in, m)
	case *messages.DropOwner:
		return dropOwner(s, in, m)
	case *messages.UpdateEndpoints:
		return update(s, in, m)
	case *messages.EndpointsProbed:
		return probed(s, in, m)
	case *messages.SetService:
		return setService(s, in, m)
	case *messages.SetCluster:
		return setCluster(s, in, m)
	case *messages.DeleteService:
		return deleteService(s, in)
	}
	return s, nil, fmt.Errorf("a service cannot take %T: %w", in.Message, messages.Invalid)
}
