package sim

import (
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// read has a begin from what is stored.
func (w *World) read(a *activation, kind actors.Kind) bool {
	record, rows := w.load(a, kind)
	st, err := kind.Open(record, rows)
	if err != nil {
		w.fail("open %v: %w", a.ref, err)
		return false
	}
	a.state, a.unread = st, false
	return true
}

func (w *World) load(a *activation, kind actors.Kind) (*messages.Record, map[string][]byte) {
	item, ok := w.store[actors.RecordKey(a.ref)]
	if !ok {
		return nil, nil
	}
	a.rev = item.rev
	rows := map[string][]byte{}
	if kind.HasTables() {
		prefix := actors.RowPrefix(a.ref)
		for _, k := range w.rowKeys(prefix) {
			rows[strings.TrimPrefix(k, prefix)] = w.store[k].value
		}
	}
	return &messages.Record{State: item.value}, rows
}

// rowKeys lists the keys below a folder of the store: "unsettled/", "grain/" or
// "grain/<kind>/<id>/".
func (w *World) rowKeys(folder string) []string { return sorted(w.under[folder]) }

func folder(key string) string {
	parts := strings.SplitN(key, "/", 4)
	if parts[0] == "grain" && len(parts) == 4 {
		return strings.Join(parts[:3], "/") + "/"
	}
	return parts[0] + "/"
}

func (w *World) write(key string, value []byte) {
	in := folder(key)
	if value == nil {
		delete(w.store, key)
		delete(w.under[in], key)
		return
	}
	if w.under[in] == nil {
		w.under[in] = map[string]bool{}
	}
	w.under[in][key] = true
	w.store[key] = stored{value, w.rev}
}

func (w *World) commit(a *activation, t actors.Turn) bool {
	key := actors.RecordKey(a.ref)
	if w.store[key].rev != a.rev {
		return false
	}
	w.rev++
	a.rev, a.unread = w.rev, false
	w.write(key, t.State.Encoded())
	for _, wr := range t.Writes {
		w.write(wr.Key, wr.Value)
	}
	w.dirty = append(w.dirty, a.ref)
	return true
}
