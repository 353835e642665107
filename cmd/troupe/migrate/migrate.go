// Package migrate owns the way of a Nacos' content into another server that speaks
// its API, such as Troupe: namespaces, configs with the history and the beta that are
// offered, persistent services, roles and permissions. What lives by its clients'
// beats and connections is not copied: those clients register by themselves; nor are
// users, whose passwords nobody shows. It changes nothing at the source, holds a few
// configs in memory at a time, and goes on where it was broken off.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

// Limits of one migration.
const (
	pageSize    = 100 // configs, services and rows that are listed at a time
	maxPages    = 100_000
	MaxHistory  = 10_000 // rows of one config's history
	MaxParallel = 64
	maxProblems = 100 // that are told one by one
)

// Plan says what is copied.
type Plan struct {
	From, To   *nacos.Client
	Namespaces []string // ids; none: all
	History    int      // rows of each config's history, the newest, that are played again; 0: none
	Overwrite  bool     // also configs that differ at the target
	NoRights   bool     // roles and permissions are left out
	Parallel   int      // items at a time
	Journal    *Journal // remembers what is done
	Tell       func(format string, args ...any)
}

// Report counts what was done.
type Report struct {
	Namespaces int `json:"namespaces_created"`
	Configs    int `json:"configs_copied"`
	Same       int `json:"configs_already_there"`
	Rows       int `json:"history_rows_played"`
	Differing  int `json:"configs_that_differ"` // and were left as they are
	Betas      int `json:"betas_copied"`
	Services   int `json:"services_copied"`
	Endpoints  int `json:"endpoints_copied"`
	Ephemeral  int `json:"services_of_clients"` // not copied: their clients register
	Done       int `json:"done_before"`         // by an earlier run, says the journal

	Roles       int      `json:"roles_copied"` // given to users that are at the target
	Permissions int      `json:"permissions_copied"`
	Users       []string `json:"users_to_be_made,omitempty"` // at the source, and not at the target

	Failed   int      `json:"failed"`
	Problems []string `json:"problems,omitempty"`
}

// run is one migration under way.
type run struct {
	Plan

	mu     sync.Mutex
	report Report
}

// Run copies all that plan says. An item that fails is told in the report and does
// not stop the others; the error is about what did: the rest can be had by running
// it again.
func Run(ctx context.Context, plan Plan) (Report, error) {
	r := &run{Plan: plan}
	namespaces, err := r.namespaces(ctx)
	if err != nil {
		return r.report, err
	}
	for _, ns := range namespaces {
		if err := r.configs(ctx, ns); err != nil {
			return r.report, fmt.Errorf("configs of namespace %s: %w", ns, err)
		}
		if err := r.services(ctx, ns); err != nil {
			return r.report, fmt.Errorf("services of namespace %s: %w", ns, err)
		}
	}
	if err := r.rights(ctx); err != nil {
		return r.report, fmt.Errorf("roles and permissions: %w", err)
	}
	return r.report, r.Journal.err()
}

// count changes the report.
func (r *run) count(change func(*Report)) {
	r.mu.Lock()
	change(&r.report)
	r.mu.Unlock()
}

func (r *run) failed(what string, err error) {
	r.count(func(x *Report) {
		if x.Failed++; len(x.Problems) < maxProblems {
			x.Problems = append(x.Problems, what+": "+err.Error())
		}
	})
}

// namespaces makes those that the target lacks, and says which are to be copied.
func (r *run) namespaces(ctx context.Context) ([]string, error) {
	source, err := r.From.Namespaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("namespaces of the source: %w", err)
	}
	target, err := r.To.Namespaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("namespaces of the target: %w", err)
	}
	there := map[string]bool{"public": true}
	for _, n := range target {
		there[n.ID] = true
	}
	wanted := map[string]bool{}
	for _, id := range r.Plan.Namespaces {
		wanted[id] = true
	}
	var ids []string
	for _, n := range source {
		if len(wanted) > 0 && !wanted[n.ID] {
			continue
		}
		delete(wanted, n.ID)
		if !there[n.ID] {
			if err := r.To.CreateNamespace(ctx, n); err != nil {
				return nil, fmt.Errorf("create namespace %s: %w", n.ID, err)
			}
			r.count(func(x *Report) { x.Namespaces++ })
		}
		ids = append(ids, n.ID)
	}
	for id := range wanted {
		return nil, fmt.Errorf("the source has no namespace %q", id)
	}
	return ids, nil
}

// pages has list give one page after the other, and do look at each item, Parallel
// of them at a time.
func pages[T any](ctx context.Context, parallel int, list func(page int) ([]T, int, error), do func(T)) error {
	seen := 0
	for page := 1; page <= maxPages; page++ {
		items, total, err := list(page)
		if err != nil {
			return err
		}
		var all sync.WaitGroup
		slots := make(chan struct{}, max(1, min(parallel, MaxParallel)))
		for _, item := range items {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				if ctx.Err() == nil {
					do(item)
				}
			})
		}
		all.Wait()
		if seen += len(items); len(items) == 0 || seen >= total || ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.New("the source lists more pages than there can be")
}
