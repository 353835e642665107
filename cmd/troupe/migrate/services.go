package migrate

import (
	"context"
	"errors"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

// services copies the persistent ones of a namespace.
func (r *run) services(ctx context.Context, ns string) error {
	return pages(ctx, r.Parallel, func(page int) ([]nacos.Service, int, error) {
		all, total, err := r.From.Services(ctx, nacos.ServiceKey{Namespace: ns}, page, pageSize)
		if err == nil {
			r.Tell("namespace %s: services %d to %d of %d", ns, (page-1)*pageSize+min(1, len(all)), (page-1)*pageSize+len(all), total)
		}
		return all, total, err
	}, func(s nacos.Service) {
		if err := r.service(ctx, s.ServiceKey); err != nil {
			r.failed("service "+s.Namespace+"/"+s.Group+"/"+s.Name, err)
		}
	})
}

// service copies one service with its clusters and endpoints. All of it may be done
// twice.
func (r *run) service(ctx context.Context, k nacos.ServiceKey) error {
	item := item{"service", k.Namespace, k.Group, k.Name}
	if r.Journal.isDone(item) {
		r.count(func(x *Report) { x.Done++ })
		return nil
	}
	s, err := r.From.Service(ctx, k)
	if nacos.IsNotFound(err) {
		return nil // removed since it was listed
	}
	if err != nil {
		return err
	}
	endpoints, err := r.From.Endpoints(ctx, k, clusters(s)...)
	if err != nil {
		return err
	}
	if ofClients(s, endpoints) {
		r.count(func(x *Report) { x.Ephemeral++ })
		r.Journal.done(item)
		return nil
	}
	if err := r.make(ctx, s); err != nil {
		return err
	}
	for _, e := range endpoints {
		if e.Ephemeral {
			continue
		}
		if err := r.To.Register(ctx, k, e); err != nil {
			return err
		}
		r.count(func(x *Report) { x.Endpoints++ })
	}
	r.count(func(x *Report) { x.Services++ })
	r.Journal.done(item)
	return nil
}

func clusters(s nacos.Service) []string {
	var names []string
	for _, c := range s.Clusters {
		names = append(names, c.Name)
	}
	return names
}

// ofClients says whether a service lives by its clients: as the server says, else as
// its endpoints do. One without endpoints was made by somebody.
func ofClients(s nacos.Service, endpoints []nacos.Endpoint) bool {
	if s.Ephemeral != nil {
		return *s.Ephemeral
	}
	for _, e := range endpoints {
		if !e.Ephemeral {
			return false
		}
	}
	return len(endpoints) > 0
}

// make makes the service, or changes it if it is there, and then its clusters.
func (r *run) make(ctx context.Context, s nacos.Service) error {
	_, err := r.To.Service(ctx, s.ServiceKey)
	if exists := err == nil; exists || notThere(err) {
		err = r.To.SetService(ctx, s, exists)
	}
	if err != nil {
		return err
	}
	for _, c := range s.Clusters {
		if len(c.Checker) == 0 || string(c.Checker) == "null" {
			continue
		}
		if err := r.To.SetCluster(ctx, s.ServiceKey, c); err != nil {
			return err
		}
	}
	return nil
}

// notThere is how any version says that there is no such service.
func notThere(err error) bool {
	var e *nacos.Error
	return nacos.IsNotFound(err) || errors.As(err, &e) && (e.Status == 400 || e.Status == 500)
}
