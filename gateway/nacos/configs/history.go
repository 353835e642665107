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

// The kinds of changes, as Nacos spells them.
const (
	inserted = "I"
	removed  = "D"
)

// lines are a page of a key's history, newest first, and how many lines there are.
// Behind the page comes what the last row of it has replaced, for its MD5.
func (a *API) lines(ctx context.Context, key api.Key, page api.Page) (all []*messages.ConfigChange, total int, err error) {
	from, to := page.First(), page.First()+page.Size+lookBehind
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

// lineBefore is the newest line before a number that is about the same content: the
// formal one, or that of the same gray version; nil if there is none.
func (a *API) lineBefore(ctx context.Context, key api.Key, number int64, gray string) (found *messages.ConfigChange, err error) {
	prefix, looked := config.HistoryKeys(key.Namespace, key.Group, key.Name), 0
	after := config.HistoryKey(key.Namespace, key.Group, key.Name, number)
	err = a.each(ctx, prefix, after, func(e actors.Entry) (bool, error) {
		c, err := change(e)
		if err == nil && c.GetGrayName() == gray {
			found = c
		}
		looked++
		return found == nil && looked < lookBehind, err
	})
	return found, err
}

// row is a change as Nacos keeps it: the row of an insert holds what was inserted,
// those of an update and of a removal hold what there was before.
type row struct {
	*messages.ConfigChange
	held *messages.ConfigChange // nil: what there was before is not known any more
}

func isInsert(c *messages.ConfigChange) bool { return c.GetOperation() == inserted }

// rowOf is the row of a change, with its content.
func (a *API) rowOf(ctx context.Context, key api.Key, c *messages.ConfigChange) (row, error) {
	if isInsert(c) {
		return row{c, c}, nil
	}
	before, err := a.lineBefore(ctx, key, c.GetNumber(), c.GetGrayName())
	if err != nil || before == nil {
		return row{c, nil}, err
	}
	held, err := a.changed(ctx, key, before.GetNumber())
	if errors.Is(err, messages.NotFound) {
		return row{c, nil}, nil
	}
	return row{c, held}, err
}

// rowsOf are the rows of lines, without contents, at most so many. A line that is
// not known any more leaves the row's MD5 empty.
func rowsOf(lines []*messages.ConfigChange, most int) []row {
	rows := make([]row, 0, min(len(lines), most))
	for i, c := range lines[:min(len(lines), most)] {
		r := row{c, nil}
		for at := i + 1; at < len(lines) && !isInsert(c) && r.held == nil; at++ {
			if lines[at].GetGrayName() == c.GetGrayName() {
				r.held = lines[at]
			}
		}
		if isInsert(c) {
			r.held = c
		}
		rows = append(rows, r)
	}
	return rows
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
