package naming

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	// scanPage is how many index entries are read at once.
	scanPage = 1000
	// maxScan is how many services one request may look into; lists of names have
	// no such limit, for they read the index alone.
	maxScan = 10_000
	// scanAtOnce is how many services are asked at the same time.
	scanAtOnce = 16
	// maxPattern bounds what names are searched with.
	maxPattern = 256
)

// entries visits the index entries below a prefix in the order of their keys.
func (a *API) entries(ctx context.Context, prefix string, visit func(*messages.ServiceEntry)) error {
	page := cluster.Page{Prefix: prefix, Limit: scanPage}
	for {
		entries, more, err := a.Cloud.List(ctx, page)
		if err != nil {
			return err
		}
		for _, raw := range entries {
			e := &messages.ServiceEntry{}
			if err := proto.Unmarshal(raw.Value, e); err != nil {
				return fmt.Errorf("index entry %s: %w", raw.Key, err)
			}
			visit(e)
		}
		if !more || len(entries) == 0 {
			return nil
		}
		page.After = entries[len(entries)-1].Key
	}
}

// found lists the services below a prefix that a filter takes.
func (a *API) found(ctx context.Context, prefix string, take func(*messages.ServiceEntry) bool) ([]*messages.ServiceEntry, error) {
	var all []*messages.ServiceEntry
	err := a.entries(ctx, prefix, func(e *messages.ServiceEntry) {
		if take(e) {
			all = append(all, e)
		}
	})
	return all, err
}

func everyone(*messages.ServiceEntry) bool { return true }

// look asks some services what they are, a few at the same time. One that is gone
// by then is left out. Exhausted if there are too many.
func (a *API) look(ctx context.Context, some []*messages.ServiceEntry) ([]*messages.Service, error) {
	if len(some) > maxScan {
		return nil, fmt.Errorf("%d services are more than the %d that one request may look into: %w", len(some), maxScan, messages.Exhausted)
	}
	got, errs := make([]*messages.Service, len(some)), make([]error, len(some))
	atOnce(some, func(i int, e *messages.ServiceEntry) {
		ref := service.Ref(e.GetNamespace(), e.GetGroup(), e.GetName())
		got[i], errs[i] = cluster.Ask[*messages.Service](ctx, a.Cloud, ref, &messages.GetService{})
	})
	there := got[:0]
	for i, s := range got {
		switch {
		case errors.Is(errs[i], messages.NotFound):
		case errs[i] != nil:
			return nil, errs[i]
		default:
			there = append(there, s)
		}
	}
	return there, nil
}

// atOnce does something with each of some, a few at the same time.
func atOnce(some []*messages.ServiceEntry, do func(int, *messages.ServiceEntry)) {
	slots := make(chan struct{}, scanAtOnce)
	var asks sync.WaitGroup
	for i, e := range some {
		slots <- struct{}{}
		asks.Go(func() {
			defer func() { <-slots }()
			do(i, e)
		})
	}
	asks.Wait()
}

// matcher is a regular expression, as Nacos has it, that stands somewhere in what
// it is compared with; what is none is looked for as it is. Empty takes everything.
func matcher(v *api.Values, name string) func(string) bool {
	s := v.Text(name)
	if len(s) > maxPattern {
		v.Fail(api.ParameterInvalid.Errorf("Param '%s' is longer than %d bytes", name, maxPattern))
		return nil
	}
	if s == "" {
		return func(string) bool { return true }
	}
	if expr, err := regexp.Compile(s); err == nil {
		return expr.MatchString
	}
	s = strings.ReplaceAll(s, "*", "")
	return func(of string) bool { return strings.Contains(of, s) }
}

// groupedOf is GROUP@@name.
func groupedOf(e interface {
	GetGroup() string
	GetName() string
}) string {
	return wire.GroupedName(e.GetGroup(), e.GetName())
}
