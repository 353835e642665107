package rpc

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// listen is a client that wants to know when the content that it sees under a key
// changes. All but its key is under the lock of its connection.
type listen struct {
	push
	conn  *conn
	key   configKey
	label string // its tag label, as of the last time that it asked
	feed  *registry.Subscription
	state *registry.State // whose change is told
	// What the client was last told, or compared itself with: the version of the key
	// and the MD5 that it saw then. Settled is false before that.
	version int64
	md5     string
	settled bool
}

// wanted is one key of a request to listen.
type wanted struct {
	key configKey
	md5 string
	at  actors.Ref
	l   *listen
}

// configBatchListen begins or ends listening to keys, and says which of them are
// not as the client has them.
func configBatchListen(c *call) error {
	listening := true
	var keys []wanted
	err := c.each(func(name []byte) bool {
		switch string(name) {
		case "listen":
			listening = c.json.Bool(true)
		case "configListenContexts":
			keys = c.wanted()
		default:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	if len(keys) > c.server.cfg.MaxListens {
		return fmt.Errorf("a request listens to at most %d keys: %w", c.server.cfg.MaxListens, messages.Exhausted)
	}
	if !listening {
		for _, w := range keys {
			c.conn.unlisten(w.key)
		}
		c.ok()
		c.reply.b = append(c.reply.b, `,"changedConfigs":[]`...)
		return nil
	}
	if keys, err = c.permitted(keys); err != nil {
		return err
	}
	return c.listen(keys)
}

// wanted reads the keys of the request.
func (c *call) wanted() (keys []wanted) {
	if !c.json.Array() {
		return nil
	}
	for c.json.More() {
		var w wanted
		if c.json.Object() {
			for {
				name, ok := c.json.Field()
				if !ok {
					break
				}
				if string(name) == "md5" {
					w.md5 = c.json.Text()
				} else if !w.key.field(&c.json, name) {
					c.json.Skip()
				}
			}
		}
		if len(keys) <= c.server.cfg.MaxListens {
			keys = append(keys, w)
		}
	}
	return keys
}

// permitted leaves the keys that can be listened to. Those that the user may not
// read are left out as long as there are others: one of them must not end all.
func (c *call) permitted(keys []wanted) ([]wanted, error) {
	var denied error
	left := keys[:0]
	for _, w := range keys {
		at, err := w.key.ref()
		if err != nil {
			return nil, err
		}
		if err := c.permit(api.Read, w.key.resource()); err != nil {
			denied = err
			continue
		}
		w.at = at
		left = append(left, w)
	}
	if len(left) == 0 && denied != nil {
		return nil, denied
	}
	return left, nil
}

// listen subscribes to all keys first, and then compares each with what there is,
// so that the first looks at many go on at once.
func (c *call) listen(keys []wanted) error {
	label := c.in.header(config.TagLabel)
	for i := range keys {
		l, err := c.conn.listenTo(keys[i].key, keys[i].at, label)
		if err != nil {
			return err
		}
		keys[i].l = l
	}
	ctx, cancel := context.WithTimeout(c.ctx, firstListen)
	defer cancel()
	c.ok()
	b := append(c.reply.b, `,"changedConfigs":[`...)
	first := true
	for _, w := range keys {
		if !w.l.compare(ctx, w.md5) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = wire.AppendText(append(b, `{"dataId":`...), w.key.dataID)
		b = wire.AppendText(append(b, `,"group":`...), w.key.group)
		b = wire.AppendText(append(b, `,"tenant":`...), w.key.tenant)
		b = append(b, '}')
	}
	c.reply.b = append(b, ']')
	return nil
}

// listenTo finds or makes a listen.
func (c *conn) listenTo(key configKey, at actors.Ref, label string) (*listen, error) {
	c.mu.Lock()
	l := c.configs.Get(key)
	switch {
	case c.ended:
		c.mu.Unlock()
		return nil, errEnded
	case l != nil:
		l.label = label
		c.mu.Unlock()
		return l, nil
	case c.configs.Len() >= c.server.cfg.MaxListens:
		c.mu.Unlock()
		return nil, fmt.Errorf("a connection listens to at most %d keys: %w", c.server.cfg.MaxListens, messages.Exhausted)
	}
	l = &listen{conn: c, key: key, label: label}
	l.what = l
	c.configs.Put(key, l)
	c.mu.Unlock()
	feed, err := c.server.cfg.Feeds.Subscribe(at, l)
	if err != nil {
		c.unlisten(key)
		return nil, err
	}
	c.mu.Lock()
	l.feed = feed
	gone := l.gone
	c.mu.Unlock()
	if gone { // meanwhile
		feed.Cancel()
	}
	return l, nil
}

func (c *conn) unlisten(key configKey) {
	c.mu.Lock()
	l := c.configs.Get(key)
	c.configs.Delete(key)
	if l != nil {
		c.forget(&l.push)
	}
	c.mu.Unlock()
	if l != nil {
		l.leave()
	}
}

// leave ends the feed; not under the lock.
func (l *listen) leave() {
	l.conn.mu.Lock()
	l.gone = true
	feed := l.feed
	l.conn.mu.Unlock()
	if feed != nil {
		feed.Cancel()
	}
}

// compare says whether what the client has is not what it would see now. If that
// is not known in time, it is told later.
func (l *listen) compare(ctx context.Context, md5 string) (differs bool) {
	l.conn.mu.Lock()
	feed := l.feed
	l.conn.mu.Unlock()
	if feed == nil { // another request is about to subscribe
		return false
	}
	_, _ = feed.Await(ctx)
	l.conn.mu.Lock()
	defer l.conn.mu.Unlock()
	state := feed.State()
	l.settled = true
	if state == nil {
		l.version, l.md5 = -1, md5
		return false
	}
	l.version, l.md5 = state.Digest.GetContentVersion(), l.sees(state)
	return l.md5 != md5
}

// sees is the MD5 of what the client sees.
func (l *listen) sees(state *registry.State) string {
	d := state.Digest
	if len(d.GetGrays()) == 0 {
		return d.GetMd5()
	}
	return config.SeenMD5(d, config.Client{IP: l.conn.address(), Labels: l.conn.labels(l.label)})
}

// Hear is registry.Listener's. A client is told if it sees another content than
// when it was last told; also if states were merged in between, for it may have
// read one of those.
func (l *listen) Hear(_ *registry.Subscription, state *registry.State) {
	l.conn.mu.Lock()
	defer l.conn.mu.Unlock()
	version := state.Digest.GetContentVersion()
	if !l.settled || version <= l.version && l.version >= 0 {
		return
	}
	md5 := l.sees(state)
	merged := l.version >= 0 && version > l.version+1
	changed := md5 != l.md5 || merged
	l.version, l.md5 = version, md5
	if changed {
		l.state = state
		l.conn.enqueue(&l.push)
	}
}

// Client is registry.Listener's.
func (l *listen) Client() registry.Client {
	r := l.conn.client()
	l.conn.mu.Lock()
	defer l.conn.mu.Unlock()
	r.MD5 = l.md5
	return r
}

// next is pushable's.
func (l *listen) next() (uint64, []byte) {
	if l.state == nil {
		return 0, nil
	}
	return numbered(l.state.Rendered("nacos-grpc\x00"+l.key.tenant, func() []byte {
		b := wire.AppendText([]byte(`,"dataId":`), l.key.dataID)
		b = wire.AppendText(append(b, `,"group":`...), l.key.group)
		b = wire.AppendText(append(b, `,"tenant":`...), l.key.tenant)
		return l.conn.server.shared("ConfigChangeNotifyRequest", "config", b)
	}))
}

// wait and again are pushable's.
func (l *listen) wait() time.Duration { return configAck }
func (l *listen) again(tries int) (time.Duration, bool) {
	return time.Duration(tries) * configRetry, tries <= configTries
}
