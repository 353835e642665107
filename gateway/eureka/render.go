package eureka

import (
	"slices"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/messages/encode"
)

// listed is instances of one app, as an answer lists them.
type listed struct {
	name    string
	entries []*entry
	actions []string // of each entry; nil: its own
}

// listing is what an answer about applications holds.
type listing struct {
	version uint64
	hash    string
	apps    []listed
}

func (l *listing) size() (n int) {
	for _, a := range l.apps {
		n += len(a.entries)
	}
	return n
}

// may says which services may be shown; nil: all.
type may func(source string) bool

// filter leaves out of sorted entries those that may not be seen. It never changes all.
func (m may) filter(all []*entry) []*entry {
	if m == nil {
		return all
	}
	var some []*entry
	for _, x := range all {
		if m(x.source) {
			some = append(some, x)
		}
	}
	return some
}

// full lists everything.
func (v *view) full(m may) *listing {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := &listing{version: v.version, hash: v.hash(m)}
	for _, name := range v.appNames() {
		if some := m.filter(v.apps[name].shown()); len(some) > 0 {
			l.apps = append(l.apps, listed{name: name, entries: some})
		}
	}
	return l
}

// hash is that of all that may be seen. Called under v.mu.
func (v *view) hash(m may) string {
	if m == nil {
		return hashOf(v.counts)
	}
	counts := map[string]int{}
	for _, a := range v.apps {
		for _, all := range a.ids {
			if m(all[0].source) {
				counts[all[0].Status]++
			}
		}
	}
	return hashOf(counts)
}

// delta lists what has changed lately, with the hash of everything.
func (v *view) delta(m may) *listing {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.recent.expire(v.now())
	l := &listing{version: v.version, hash: v.hash(m)}
	of := map[string]int{}
	for c := range v.recent.all {
		if m != nil && !m(c.entry.source) {
			continue
		}
		n, ok := of[c.app]
		if !ok {
			n = len(l.apps)
			of[c.app] = n
			l.apps = append(l.apps, listed{name: c.app})
		}
		l.apps[n].entries = append(l.apps[n].entries, c.entry)
		l.apps[n].actions = append(l.apps[n].actions, c.action)
	}
	return l
}

// addressed lists the instances with a VIP address, or a secure one.
func (v *view) addressed(secure bool, vip string, m may) *listing {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := v.vips
	if secure {
		at = v.svips
	}
	return v.some(at[strings.ToUpper(vip)], m)
}

// some lists some entries. Called under v.mu.
func (v *view) some(entries map[*entry]struct{}, m may) *listing {
	l, counts, of := &listing{version: v.version}, map[string]int{}, map[string][]*entry{}
	for x := range entries {
		if m == nil || m(x.source) {
			of[x.App] = append(of[x.App], x)
			counts[x.Status]++
		}
	}
	for name, all := range of {
		slices.SortFunc(all, func(a, b *entry) int { return strings.Compare(a.ID, b.ID) })
		l.apps = append(l.apps, listed{name: name, entries: all})
	}
	slices.SortFunc(l.apps, func(a, b listed) int { return strings.Compare(a.name, b.name) })
	l.hash = hashOf(counts)
	return l
}

// instanceBytes is about how long an instance is.
const instanceBytes = 1400

// render writes a listing.
func (l *listing) render(asJSON, compact bool) []byte {
	b := make([]byte, 0, 256+l.size()*instanceBytes)
	version := strconv.FormatUint(l.version, 10)
	if asJSON {
		b = append(b, `{"applications":{"versions__delta":"`+version+`","apps__hashcode":"`+l.hash+`","application":[`...)
		for n := range l.apps {
			if n > 0 {
				b = append(b, ',')
			}
			b = l.apps[n].json(b, compact)
		}
		return append(b, `]}}`...)
	}
	b = append(b, `<applications><versions__delta>`+version+`</versions__delta><apps__hashcode>`+l.hash+`</apps__hashcode>`...)
	for n := range l.apps {
		b = l.apps[n].xml(b, compact)
	}
	return append(b, `</applications>`...)
}

func (a *listed) action(n int) string {
	if a.actions != nil {
		return a.actions[n]
	}
	return a.entries[n].action
}

func (a *listed) json(b []byte, compact bool) []byte {
	b = append(encode.AppendLoose(append(b, `{"name":`...), a.name), `,"instance":[`...)
	for n, x := range a.entries {
		if n > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, x.instance, a.action(n), compact)
	}
	return append(b, `]}`...)
}

func (a *listed) xml(b []byte, compact bool) []byte {
	b = append(appendEscaped(append(b, `<application><name>`...), a.name), `</name>`...)
	for n, x := range a.entries {
		b = appendXML(b, x.instance, a.action(n), compact)
	}
	return append(b, `</application>`...)
}

// application writes one app.
func (a *listed) application(asJSON, compact bool) []byte {
	b := make([]byte, 0, 256+len(a.entries)*instanceBytes)
	if asJSON {
		return append(a.json(append(b, `{"application":`...), compact), '}')
	}
	return a.xml(b, compact)
}

// one writes one instance.
func (x *entry) one(asJSON, compact bool) []byte {
	if asJSON {
		return append(appendJSON([]byte(`{"instance":`), x.instance, x.action, compact), '}')
	}
	return appendXML(nil, x.instance, x.action, compact)
}
