package config

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// change is a line of the history on its way: which content it is about.
type change struct {
	operation string
	gray      *messages.GrayRule // nil: the formal content
	content   string
	Published
	app, user, ip, reason string
}

// recordOld adds a line about what stands in a row, which is going to be replaced
// or removed.
func (s State) recordOld(now time.Time, operation, row, user, ip, reason string) State {
	content, _ := s.Contents.Get(row)
	c := change{operation: operation, content: string(content), app: s.Labels.App, user: user, ip: ip, reason: reason}
	if row == formalRow {
		c.Published = *s.Formal
		c.Type = s.Labels.Type
	} else {
		g := s.Grays[s.gray(row[len(grayRow("")):])]
		c.Published, c.gray = g.Published, g.Rule
	}
	return s.record(now, c)
}

// record adds a line to the history, at a cost that does not depend on its length.
func (s State) record(now time.Time, c change) State {
	ns, group, dataID, _ := Parse(s.ID)
	s.First = max(1, s.First)
	s.Last++
	s.History = s.History.Set(strconv.FormatInt(s.Last, 10), &messages.ConfigChange{
		Namespace: ns, Group: group, DataId: dataID, Number: s.Last, Operation: c.operation, GrayName: c.gray.GetName(),
		Md5: c.MD5, Size: c.Size, Type: TypeOf(c.Type), App: c.app, User: c.user, Ip: c.ip, ChangedAt: now.UnixNano(),
		Content: c.content, EncryptedDataKey: c.DataKey, GrayRule: ruleText(c.gray), Reason: c.reason,
	})
	if day := now.Unix() / secondsPerDay; len(s.Days) == 0 || day > s.Days[len(s.Days)-1].Day {
		s.Days = append(s.Days[:len(s.Days):len(s.Days)], Day{day, s.Last})
	}
	return s
}

const secondsPerDay = 24 * 60 * 60

// ruleText is how a rule stands in the history: {"type","version","expr","priority"}.
func ruleText(r *messages.GrayRule) string {
	if r == nil {
		return ""
	}
	raw, err := json.Marshal(struct {
		Type     string `json:"type"`
		Version  string `json:"version"`
		Expr     string `json:"expr"`
		Priority int32  `json:"priority"`
	}{r.Type, r.Version, r.Expression, r.Priority})
	if err != nil {
		panic(fmt.Sprintf("the rule %q cannot be encoded: %v", r.Name, err)) // strings and a number always can be
	}
	return string(raw)
}

// forgetOld removes changes that have stood in the history for HistoryKept, whole
// days of them, and those above MaxHistory: at most MaxRemoved. If more are left, it
// wants to be woken at once.
func (s State) forgetOld(now time.Time) State {
	end := s.Last - MaxHistory + 1 // the first that stays
	for i, d := range s.Days {
		if time.Unix((d.Day+1)*secondsPerDay, 0).Add(HistoryKept).After(now) {
			end = max(end, d.First)
			break
		}
		if i == len(s.Days)-1 {
			end = s.Last + 1
		}
	}
	s.more = time.Time{}
	if s.First >= end {
		return s
	}
	if end > s.First+MaxRemoved {
		end, s.more = s.First+MaxRemoved, now
	}
	for ; s.First < end; s.First++ {
		s.History = s.History.Delete(strconv.FormatInt(s.First, 10))
	}
	for len(s.Days) > 1 && s.Days[1].First <= s.First || len(s.Days) == 1 && s.First > s.Last {
		s.Days = s.Days[1:]
	}
	return s
}

// historyIndex is the line of one change: an entry that is written when the change
// is made, and removed with it. Of the others only the key is said, and nobody asks.
func historyIndex(s State, table, row string) []actors.Entry {
	if table != historyTable {
		return nil
	}
	number, err := strconv.ParseInt(row, 10, 64)
	if err != nil || number < s.First || number > s.Last {
		return nil
	}
	ns, group, dataID, _ := Parse(s.ID)
	e := actors.Entry{Key: HistoryKey(ns, group, dataID, number)}
	if v, ok := s.History.Changed(row); ok && v != nil {
		e.View = line(v.(*messages.ConfigChange))
	}
	return []actors.Entry{e}
}

// line is c without its content.
func line(c *messages.ConfigChange) *messages.ConfigChange {
	return &messages.ConfigChange{
		Namespace: c.Namespace, Group: c.Group, DataId: c.DataId, Number: c.Number, Operation: c.Operation, GrayName: c.GrayName,
		Md5: c.Md5, Size: c.Size, Type: c.Type, App: c.App, User: c.User, Ip: c.Ip, ChangedAt: c.ChangedAt,
		EncryptedDataKey: c.EncryptedDataKey, GrayRule: c.GrayRule, Reason: c.Reason,
	}
}
