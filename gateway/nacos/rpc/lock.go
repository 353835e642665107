package rpc

import (
	"fmt"
	"strconv"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/lock"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// lockOperation acquires or releases a lock. Its owner is the connection: with that
// it ends.
func lockOperation(c *call) error {
	var key, kind, op string
	ttl := int64(-1)
	err := c.each(func(name []byte) bool {
		switch string(name) {
		case "lockOperationEnum", "lockOperation":
			op = c.json.Text()
		case "lockInstance":
			c.lockInstance(&key, &kind, &ttl)
		default:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	if err := c.identify(); err != nil {
		return err
	}
	if kind != "" && kind != "NACOS_LOCK" {
		return fmt.Errorf("there are no locks of type %q: %w", kind, messages.Invalid)
	}
	tenant := c.conn.about.tenant
	if err := lock.CheckKey(tenant, key); err != nil {
		return err
	}
	at := lock.Ref(tenant, key)
	var done bool
	switch op {
	case "ACQUIRE":
		done, err = c.acquire(at, ttl)
	case "RELEASE":
		done, err = c.release(at)
	default:
		return unknownOp(op)
	}
	if err != nil {
		return err
	}
	c.ok()
	c.reply.b = strconv.AppendBool(append(c.reply.b, `,"result":`...), done)
	return nil
}

func (c *call) lockInstance(key, kind *string, ttl *int64) {
	if !c.json.Object() {
		return
	}
	for {
		name, ok := c.json.Field()
		if !ok {
			return
		}
		switch string(name) {
		case "key":
			*key = c.json.Text()
		case "lockType":
			*kind = c.json.Text()
		case "expiredTime":
			*ttl = c.json.Int(lock.MaxTTL.Milliseconds())
		default:
			c.json.Skip()
		}
	}
}

// acquire takes a lock, and notes that it is to be let go when the connection ends.
func (c *call) acquire(at actors.Ref, ttl int64) (bool, error) {
	if err := c.conn.holds(at); err != nil {
		return false, err
	}
	if ttl < 0 {
		ttl = lock.DefaultTTL.Milliseconds()
	}
	ttl = min(max(ttl, lock.MinTTL.Milliseconds()), lock.MaxTTL.Milliseconds())
	owner := c.conn.owner()
	got, err := cluster.Ask[*messages.LockState](c.ctx, c.server.cfg.Cloud, at, &messages.AcquireLock{Owner: owner, TtlMs: ttl})
	if err == nil && !got.GetDone() && got.GetOwner() != owner {
		c.conn.holdsNot(at)
	}
	if err == nil && !c.conn.registered() { // it ended meanwhile, maybe before the lock was noted
		c.conn.unlock(map[actors.Ref]struct{}{at: {}})
	}
	return got.GetDone(), err
}

func (c *call) release(at actors.Ref) (bool, error) {
	got, err := cluster.Ask[*messages.LockState](c.ctx, c.server.cfg.Cloud, at, &messages.ReleaseLock{Owner: c.conn.owner()})
	if err == nil {
		c.conn.holdsNot(at)
	}
	return got.GetDone(), err
}

// holds notes a lock that may be the connection's.
func (c *conn) holds(at actors.Ref) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errEnded
	}
	if _, is := c.locks[at]; !is && len(c.locks) >= MaxLocks {
		return fmt.Errorf("a connection holds at most %d locks: %w", MaxLocks, messages.Exhausted)
	}
	if c.locks == nil {
		c.locks = map[actors.Ref]struct{}{}
	}
	c.locks[at] = struct{}{}
	return nil
}

func (c *conn) holdsNot(at actors.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.locks, at)
}
