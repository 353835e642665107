package rpc

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// fuzzyKind is what differs between names of services and of configs.
type fuzzyKind struct {
	kind     string // of the grains
	module   string // of messages
	resource string
	batch    int // names in one message of the first ones
	changed  string
	added    string
	removed  string
	sync     string
	notify   string
	nameKey  string
	typeKey  string
	tail     string // of a notice
	spell    func(registry.Name) string
}

var (
	fuzzyServices = &fuzzyKind{
		kind: registry.ServiceKind, module: "naming", resource: api.Naming, batch: 10,
		added: "ADD_SERVICE", removed: "DELETE_SERVICE",
		sync: "NamingFuzzyWatchSyncRequest", notify: "NamingFuzzyWatchChangeNotifyRequest",
		nameKey: "serviceKey", typeKey: "changedType", tail: `,"syncType":"FUZZY_WATCH_RESOURCE_CHANGED"`,
		spell: func(n registry.Name) string { return n.Namespace + "@@" + n.Group + "@@" + n.Name },
	}
	fuzzyConfigs = &fuzzyKind{
		kind: registry.ConfigKind, module: "config", resource: api.Config, batch: 20,
		added: "ADD_CONFIG", removed: "DELETE_CONFIG", changed: "CONFIG_CHANGED",
		sync: "ConfigFuzzyWatchSyncRequest", notify: "ConfigFuzzyWatchChangeNotifyRequest",
		nameKey: "groupKey", typeKey: "changeType",
		spell: func(n registry.Name) string {
			return escapePart(n.Name) + "+" + escapePart(n.Group) + "+" + escapePart(n.Namespace)
		},
	}
)

var partEscapes = strings.NewReplacer("+", "%2B", "%", "%25")

func escapePart(s string) string { return partEscapes.Replace(s) }

type patternKey struct{ kind, pattern string }

func namingFuzzyWatch(c *call) error { return c.fuzzyWatch(fuzzyServices) }
func configFuzzyWatch(c *call) error { return c.fuzzyWatch(fuzzyConfigs) }

// fuzzyWatch begins or ends watching which names there are that match a pattern.
func (c *call) fuzzyWatch(kind *fuzzyKind) error {
	var text, op string
	var known map[string]struct{}
	err := c.each(func(name []byte) bool {
		switch string(name) {
		case "groupKeyPattern":
			text = c.json.Text()
		case "watchType":
			op = c.json.Text()
		case "receivedGroupKeys":
			known = c.received()
		default:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	key := patternKey{kind.kind, text}
	switch op {
	case "CANCEL_WATCH":
		c.conn.unwatch(key)
		return nil
	case "WATCH":
	default:
		return unknownOp(op)
	}
	of, err := parsePattern(text)
	if err != nil {
		return err
	}
	if err := api.CheckNamespace(of.namespace); err != nil {
		return err
	}
	what := api.Resource{Namespace: api.Namespace(of.namespace), Group: of.group.only(), Type: kind.resource, Name: of.name.only()}
	if err := c.permit(api.Read, what); err != nil {
		return err
	}
	return c.watch(kind, key, of, known)
}

// received reads the names that the client knows already.
func (c *call) received() map[string]struct{} {
	if !c.json.Array() {
		return nil
	}
	known := map[string]struct{}{}
	for c.json.More() {
		if name := c.json.Text(); len(known) < maxReceivedKeys {
			known[name] = struct{}{}
		}
	}
	return known
}

// watch makes the pattern, and has its first names told. One that there is already
// begins anew, with what the client says it knows.
func (c *call) watch(kind *fuzzyKind, key patternKey, of names, known map[string]struct{}) error {
	p := &pattern{conn: c.conn, kind: kind, key: key, of: of, told: known, due: map[string]string{}}
	p.what = p
	if p.told == nil {
		p.told = map[string]struct{}{}
	}
	if err := c.conn.addPattern(p); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, handleTime)
	defer cancel()
	now, stop, err := c.server.cfg.Names.Watch(ctx, kind.kind, api.Namespace(of.namespace), p)
	if err != nil {
		c.conn.unwatch(key)
		return err
	}
	if !p.begin(now, stop) {
		return &fault{code: codeTooManyMatches, err: fmt.Errorf("pattern %s matches more than %d names, the rest is not told: %w", key.pattern, MaxMatches, messages.Exhausted)}
	}
	return nil
}

// addPattern puts p in the place of one with the same key.
func (c *conn) addPattern(p *pattern) error {
	c.mu.Lock()
	old := c.patterns[p.key]
	switch {
	case c.ended:
		c.mu.Unlock()
		return errEnded
	case old == nil && len(c.patterns) >= MaxPatterns:
		c.mu.Unlock()
		return &fault{code: codeTooManyPatterns, err: fmt.Errorf("a connection watches at most %d patterns: %w", MaxPatterns, messages.Exhausted)}
	}
	if old != nil {
		c.forget(&old.push)
	}
	if c.patterns == nil {
		c.patterns = map[patternKey]*pattern{}
	}
	c.patterns[p.key] = p
	c.mu.Unlock()
	if old != nil {
		old.leave()
	}
	return nil
}

func (c *conn) unwatch(key patternKey) {
	c.mu.Lock()
	p := c.patterns[key]
	delete(c.patterns, key)
	if p != nil {
		c.forget(&p.push)
	}
	c.mu.Unlock()
	if p != nil {
		p.leave()
	}
}

// pattern is a client that wants to know which names there are. All but its names
// is under the lock of its connection.
type pattern struct {
	push
	conn *conn
	kind *fuzzyKind
	key  patternKey
	of   names
	stop func()

	told  map[string]struct{} // names that the client knows, or is about to
	due   map[string]string   // what happened to which name, and is not told yet
	order []string            // of due
	first [][]byte            // the first names, in batches that are not told yet
	sent  []byte              // what is not acknowledged yet
	began bool
}

// begin says which names there are that the client does not know, and which it
// knows that there are not. False if there are too many.
func (p *pattern) begin(now []registry.Name, stop func()) (all bool) {
	c := p.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	p.stop = stop
	if p.gone {
		go stop()
		return true
	}
	all = true
	exist := make(map[string]struct{}, MaxMatches)
	var contexts []change
	for _, n := range now {
		if !p.matches(n) {
			continue
		}
		if len(exist) >= MaxMatches {
			all = false
			break
		}
		name := p.kind.spell(n)
		exist[name] = struct{}{}
		if _, knows := p.told[name]; !knows {
			contexts = append(contexts, change{name, p.kind.added})
		}
	}
	for name := range p.told {
		if _, is := exist[name]; !is && all {
			contexts = append(contexts, change{name, p.kind.removed})
		}
	}
	p.told = exist
	p.first = p.batches(contexts)
	p.began = true
	c.enqueue(&p.push)
	return all
}

type change struct{ name, how string }

// batches is the first messages: the names in portions, and that those were all.
func (p *pattern) batches(contexts []change) (all [][]byte) {
	total := (len(contexts) + p.kind.batch - 1) / p.kind.batch
	for i := range total {
		some := contexts[i*p.kind.batch : min((i+1)*p.kind.batch, len(contexts))]
		all = append(all, p.syncFields("FUZZY_WATCH_INIT_NOTIFY", some, total, i+1))
	}
	return append(all, p.syncFields("FINISH_FUZZY_WATCH_INIT_NOTIFY", nil, total, total))
}

func (p *pattern) matches(n registry.Name) bool {
	return p.of.group.matches(n.Group) && p.of.name.matches(n.Name)
}

// NamesChanged is registry.NamesWatcher's.
func (p *pattern) NamesChanged(changes []registry.NameChange) {
	c := p.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range changes {
		if p.began && !p.gone && p.matches(ch.Name) {
			p.note(ch)
		}
	}
	if len(p.order) > 0 {
		c.enqueue(&p.push)
	}
}

// note writes down what happened to a name; of each only the last.
func (p *pattern) note(ch registry.NameChange) {
	name := p.kind.spell(ch.Name)
	_, told := p.told[name]
	how := p.kind.changed
	switch {
	case ch.Added && told, ch.Removed && !told:
		return
	case ch.Added && len(p.told) >= MaxMatches:
		return // the limit was, or is, the client's to see
	case ch.Added:
		how = p.kind.added
		p.told[name] = struct{}{}
	case ch.Removed:
		how = p.kind.removed
		delete(p.told, name)
	case how == "" || !told:
		return
	}
	was, waits := p.due[name]
	if !waits {
		p.order = append(p.order, name)
	} else if how == p.kind.changed && was == p.kind.added {
		return
	}
	p.due[name] = how
}

// leave ends the watch; not under the lock.
func (p *pattern) leave() {
	p.conn.mu.Lock()
	p.gone = true
	stop := p.stop
	p.conn.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// next is pushable's: what was not acknowledged again, then the first names, then
// what has happened since, one after the other.
func (p *pattern) next() (uint64, []byte) {
	if p.pending != 0 {
		return 0, nil // its acknowledgement brings the next
	}
	if p.sent == nil {
		switch {
		case len(p.first) > 0:
			p.sent = p.conn.server.shared(p.kind.sync, p.kind.module, p.first[0])
			p.first = p.first[1:]
		case len(p.order) > 0:
			name := p.order[0]
			p.order = p.order[1:]
			p.sent = p.conn.server.shared(p.kind.notify, p.kind.module, p.noticeFields(name, p.due[name]))
			delete(p.due, name)
		default:
			return 0, nil
		}
	}
	return numbered(p.sent)
}

// heard is called under the lock when a message was acknowledged, or is given up.
func (p *pattern) heard() {
	p.sent = nil
	p.conn.enqueue(&p.push)
}

// wait and again are pushable's.
func (p *pattern) wait() time.Duration { return configAck }
func (p *pattern) again(tries int) (time.Duration, bool) {
	if tries > fuzzyTries {
		p.tries = 0
		p.heard()
		return 0, false
	}
	return time.Duration(tries) * configRetry, true
}

func (p *pattern) syncFields(how string, contexts []change, total, current int) []byte {
	b := wire.AppendText([]byte(`,"syncType":`), how)
	b = wire.AppendText(append(b, `,"groupKeyPattern":`...), p.key.pattern)
	b = append(b, `,"contexts":[`...)
	for i, ch := range contexts {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendText(append(append(append(b, `{"`...), p.kind.nameKey...), `":`...), ch.name)
		b = append(wire.AppendText(append(b, `,"changedType":`...), ch.how), '}')
	}
	return fmt.Appendf(b, `],"totalBatch":%d,"currentBatch":%d`, total, current)
}

func (p *pattern) noticeFields(name, how string) []byte {
	b := wire.AppendText(append(append([]byte(`,"`), p.kind.nameKey...), `":`...), name)
	b = wire.AppendText(append(append(append(b, `,"`...), p.kind.typeKey...), `":`...), how)
	return append(b, p.kind.tail...)
}
