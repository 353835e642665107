package rpc

import (
	"context"
	"fmt"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/h2"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// instance registers or deregisters the one instance that this connection has in
// a service.
func instance(c *call) (registry.Change, error) {
	n := &c.about
	at, err := c.target(n, api.Write)
	if err != nil {
		return registry.Change{}, err
	}
	switch {
	case n.op == "deregisterInstance":
		return c.keep(n, at)
	case n.op != "registerInstance":
		return registry.Change{}, unknownOp(n.op)
	case n.endpoint == nil:
		return registry.Change{}, missing("instance")
	}
	return c.keep(n, at, n.endpoint)
}

// batchInstance says all instances that this connection has in a service.
func batchInstance(c *call) (registry.Change, error) {
	n := &c.about
	at, err := c.target(n, api.Write)
	if err != nil {
		return registry.Change{}, err
	}
	switch n.op {
	case "batchRegisterInstance", "batchDeregisterInstance":
		return c.keep(n, at, n.endpoints...)
	}
	return registry.Change{}, unknownOp(n.op)
}

// keep makes endpoints all that the connection keeps in a service.
func (c *call) keep(n *naming, at actors.Ref, endpoints ...*messages.Endpoint) (registry.Change, error) {
	if len(endpoints) > service.MaxEndpointsPerMessage {
		return registry.Change{}, fmt.Errorf("at most %d instances are registered at once: %w", service.MaxEndpointsPerMessage, messages.Invalid)
	}
	for _, e := range endpoints {
		e.Persistent = false // what it says of itself does not count here: it lives with its connection
		if err := c.prepare(n, e); err != nil {
			return registry.Change{}, err
		}
	}
	if len(endpoints) > 1 {
		endpoints = unique(endpoints)
	}
	return registry.Change{At: at, Endpoints: endpoints, Max: c.server.cfg.MaxServices}, nil
}

// change answers a call that changes what its connection keeps.
func (c *call) change() error {
	change, err := c.handler.change(c)
	if err == nil {
		err = c.server.cfg.Owners.Set(c.ctx, c.conn.id, change)
	}
	return c.changed(err)
}

// changed answers that it was taken, if it was.
func (c *call) changed(err error) error {
	if err != nil {
		return err
	}
	c.server.cfg.Names.Hint(registry.ServiceKind, c.about.namespace)
	c.ok()
	c.text(`,"type":`, c.about.op)
	return nil
}

// Joins is h2.Call's: changes of what the connection keeps go together.
func (c *call) Joins() bool { return c.handler != nil && c.handler.change != nil }

// Together is h2.Peer's.
func (c *conn) Together(all []h2.Call, answered func(i int, r h2.Reply), idle func()) {
	t := &together{conn: c, calls: make([]*call, len(all)), answered: answered}
	for i := range all {
		t.calls[i] = all[i].(*call)
		t.read(i)
	}
	err := c.server.guarded([]byte("changes"), func() error {
		c.server.cfg.Owners.SetAll(context.Background(), c.id, t.changes, func(n int, err error) { t.answer(t.numbers[n], err) }, idle)
		return nil
	})
	for i, k := range t.calls { // none is left, if all went well
		if k != nil {
			t.answer(i, err)
		}
	}
}

// together is calls that are answered together.
type together struct {
	conn     *conn
	calls    []*call // nil: answered
	answered func(i int, r h2.Reply)
	changes  []registry.Change
	numbers  []int // of whose calls
}

// read finds out what a call changes, or answers why it may not.
func (t *together) read(i int) {
	k := t.calls[i]
	k.ctx = context.Background()
	var change registry.Change
	err := t.conn.server.guarded(k.in.kind, func() (err error) {
		if err = k.choose(); err == nil {
			change, err = k.handler.change(k)
		}
		return err
	})
	if err != nil {
		t.end(i, err)
		return
	}
	t.changes, t.numbers = append(t.changes, change), append(t.numbers, i)
}

// answer answers a call whose change came to err.
func (t *together) answer(i int, err error) {
	k := t.calls[i]
	t.end(i, t.conn.server.guarded(k.in.kind, func() error { return k.changed(err) }))
}

func (t *together) end(i int, err error) {
	k := t.calls[i]
	t.calls[i] = nil
	t.answered(i, k.done(k.said(err)))
}
