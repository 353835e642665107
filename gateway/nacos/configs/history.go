package configs

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// The kinds of changes, as Nacos spells them. The row of an insert holds what came,
// those of an update and of a removal what went: so does the history of a key.
const (
	inserted = "I"
	updated  = "U"
)

// lines are a page of a key's history, newest first, and how many lines there are.
func (a *API) lines(ctx context.Context, key api.Key, page api.Page) (all []*messages.ConfigChange, total int, err error) {
	from, to := page.First(), page.First()+page.Size
	prefix := config.HistoryKeys(key.Namespace, key.Group, key.Name)
	err = a.each(ctx, prefix, "", func(e actors.Entry) (bool, error) {
		if total++; total > from && total <= to {
			c, err := change(e)
			if err != nil {
				return false, err
			}
			all = append(all, c)
		}
		return total < historyScanned, nil
	})
	return all, total, err
}

// each visits index entries until visit says false.
func (a *API) each(ctx context.Context, prefix, after string, visit func(actors.Entry) (bool, error)) error {
	for {
		entries, more, err := a.cloud.List(ctx, cluster.Page{Prefix: prefix, After: after})
		if err != nil {
			return err
		}
		for _, e := range entries {
			if on, err := visit(e); err != nil || !on {
				return err
			}
		}
		if !more || len(entries) == 0 {
			return nil
		}
		after = entries[len(entries)-1].Key
	}
}

func change(e actors.Entry) (*messages.ConfigChange, error) {
	c := &messages.ConfigChange{}
	if err := proto.Unmarshal(e.Value, c); err != nil {
		return nil, fmt.Errorf("the history entry %s cannot be read: %w", e.Key, err)
	}
	return c, nil
}

// changed is one line of a key's history with its content; NotFound if it has none
// of that number.
func (a *API) changed(ctx context.Context, key api.Key, number int64) (*messages.ConfigChange, error) {
	return cluster.Ask[*messages.ConfigChange](ctx, a.cloud, ref(key), &messages.GetConfigChange{Number: number})
}

// broughtBy is what an update has brought: what the next change of the same content
// took away, or what is there now. Nil: it is not known any more.
func (a *API) broughtBy(ctx context.Context, key api.Key, c *messages.ConfigChange) (*messages.ConfigChange, error) {
	for n := c.GetNumber() + 1; n <= c.GetNumber()+lookAhead; n++ {
		next, err := a.changed(ctx, key, n)
		if errors.Is(err, messages.NotFound) {
			return a.present(ctx, key, c.GetGrayName())
		}
		if err != nil || next.GetGrayName() == c.GetGrayName() {
			return next, err
		}
	}
	return nil, nil
}

// present is what is published now, as the change that would take it away tells it.
func (a *API) present(ctx context.Context, key api.Key, gray string) (*messages.ConfigChange, error) {
	now, err := cluster.Ask[*messages.ConfigContent](ctx, a.cloud, ref(key), &messages.GetConfig{GrayName: gray, Formal: gray == ""})
	if errors.Is(err, messages.NotFound) {
		return nil, nil
	}
	c := &messages.ConfigChange{Content: now.GetContent(), Md5: now.GetMd5(), EncryptedDataKey: now.GetEncryptedDataKey(), Type: now.GetType()}
	if now.GetGray() != nil {
		c.GrayRule = ruleText(now.GetGray())
	}
	return c, err
}

// historyNumber reads the number of a row.
func historyNumber(r *api.Request, name string) (int64, error) {
	v := r.Values()
	s := v.Need(name)
	if err := v.Err(); err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, api.ParameterInvalid.Errorf("Param '%s' is '%s', which is no id", name, api.Short(s))
	}
	return n, nil
}
