package migrate

import (
	"context"
	"slices"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

// configs copies those of a namespace.
func (r *run) configs(ctx context.Context, ns string) error {
	return pages(ctx, r.Parallel, func(page int) ([]nacos.Config, int, error) {
		all, total, err := r.From.Configs(ctx, nacos.Filter{Namespace: ns}, page, pageSize)
		if err == nil {
			r.Tell("namespace %s: configs %d to %d of %d", ns, (page-1)*pageSize+min(1, len(all)), (page-1)*pageSize+len(all), total)
		}
		return all, total, err
	}, func(c nacos.Config) {
		if err := r.config(ctx, c.Key); err != nil {
			r.failed("config "+name(c.Key), err)
		}
	})
}

func name(k nacos.Key) string { return k.Namespace + "/" + k.Group + "/" + k.DataID }

// config copies one config. Broken off in its history, it goes on there: each step
// adds one row to the target's history, and the journal knows how many there were.
func (r *run) config(ctx context.Context, k nacos.Key) error {
	item := item{"config", k.Namespace, k.Group, k.DataID}
	if r.Journal.isDone(item) {
		r.count(func(x *Report) { x.Done++ })
		return nil
	}
	is, err := r.From.Config(ctx, k)
	if nacos.IsNotFound(err) {
		return nil // removed since it was listed
	}
	if err != nil {
		return err
	}
	was, err := r.To.Config(ctx, k)
	absent := nacos.IsNotFound(err)
	if err != nil && !absent {
		return err
	}
	base, begun := r.Journal.begun(item)
	switch {
	case !absent && same(was, is):
		if err := r.beta(ctx, k); err != nil {
			return err
		}
		r.count(func(x *Report) { x.Same++ })
		r.Journal.done(item)
		return nil
	case !absent && !begun && !r.Overwrite:
		r.count(func(x *Report) { x.Differing++ })
		r.Tell("config %s differs at the target, and is left as it is there", name(k))
		return nil
	}
	user := ""
	if r.History > 0 && (absent || begun) {
		if user, err = r.history(ctx, item, k, base, begun); err != nil {
			return err
		}
	}
	if err := r.To.Publish(ctx, is, "", user); err != nil {
		return err
	}
	if err := r.beta(ctx, k); err != nil {
		return err
	}
	r.count(func(x *Report) { x.Configs++ })
	r.Journal.done(item)
	return nil
}

// beta copies what some addresses see of a config instead, if there is anything.
func (r *run) beta(ctx context.Context, k nacos.Key) error {
	is, err := r.From.Beta(ctx, k)
	if nacos.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	was, err := r.To.Beta(ctx, k)
	switch {
	case err == nil && was.IPs == is.IPs && was.Content == is.Content && was.DataKey == is.DataKey:
		return nil
	case err == nil && !r.Overwrite:
		r.Tell("the beta of config %s differs at the target, and is left as it is there", name(k))
		return nil
	case err != nil && !nacos.IsNotFound(err):
		return err
	}
	if err := r.To.PublishBeta(ctx, is); err != nil {
		return err
	}
	r.count(func(x *Report) { x.Betas++ })
	return nil
}

// same says whether two servers show the same of a config.
func same(a, b nacos.Config) bool {
	return a.MD5 == b.MD5 && a.Type == b.Type && a.App == b.App && a.Description == b.Description && a.Tags == b.Tags && a.DataKey == b.DataKey
}

// history plays again what the source still knows of a config's past, but for the
// last change, which the config itself stands for, and says who made that.
func (r *run) history(ctx context.Context, item item, k nacos.Key, base int, begun bool) (user string, err error) {
	_, rows, err := r.To.History(ctx, k, 1, 1)
	if err != nil {
		return "", err
	}
	if !begun {
		base = rows
		r.Journal.begin(item, base)
	}
	past, err := r.past(ctx, k)
	if err != nil || len(past) == 0 {
		return "", err
	}
	steps := steps(past)
	for _, s := range steps[min(max(0, rows-base), len(steps)):] {
		if err := r.play(ctx, k, s); err != nil {
			return "", err
		}
		r.count(func(x *Report) { x.Rows++ })
	}
	return past[len(past)-1].User, nil
}

// past are the newest rows about the formal content, oldest first, without contents.
func (r *run) past(ctx context.Context, k nacos.Key) ([]nacos.Change, error) {
	var past []nacos.Change
	most := min(r.History, MaxHistory)
	for page, seen := 1, 0; len(past) < most; page++ {
		rows, total, err := r.From.History(ctx, k, page, min(pageSize, most))
		if err != nil {
			return nil, err
		}
		for _, c := range rows {
			if c.Gray == "" && len(past) < most {
				past = append(past, c)
			}
		}
		if seen += len(rows); len(rows) == 0 || seen >= total {
			break
		}
	}
	slices.Reverse(past)
	return past, nil
}

// step is one change that is made again: the content that a row of the source holds,
// or a removal.
type step struct {
	row  string // empty: a removal
	user string
	app  string
}

// steps are the changes that rows tell of, but for the last one if it brought what is
// there now. The row of an insert holds what came, the others what went: what an
// update brought stands in the row after it.
func steps(past []nacos.Change) []step {
	var all []step
	if first := past[0]; first.Operation != "I" {
		all = append(all, step{row: first.ID, app: first.App})
	}
	for i, c := range past {
		last := i == len(past)-1
		switch {
		case c.Operation == "D":
			all = append(all, step{user: c.User})
		case last:
		case c.Operation == "I":
			all = append(all, step{c.ID, c.User, c.App})
		default:
			all = append(all, step{past[i+1].ID, c.User, past[i+1].App})
		}
	}
	return all
}

func (r *run) play(ctx context.Context, k nacos.Key, s step) error {
	if s.row == "" {
		return r.To.Remove(ctx, k)
	}
	c, err := r.From.Change(ctx, k, s.row)
	if err != nil {
		return err
	}
	return r.To.Publish(ctx, nacos.Config{Key: k, Content: c.Content, DataKey: c.DataKey, App: s.app}, "", s.user)
}
