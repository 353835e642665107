package rpc

import (
	"testing"
	"testing/synctest"
)

// TestPushers: workers that wait for clients are replaced, and only those.
func TestPushers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &pushers{workers: eager, busy: map[*conn]struct{}{}}
		for range eager {
			c := &conn{}
			c.writing.Store(5)
			q.busy[c] = struct{}{}
		}
		q.ready(&conn{})
		q.look(4) // they began to write after that
		synctest.Wait()
		if len(q.conns) != 1 || q.workers != eager || q.stuck != 0 {
			t.Errorf("%d wait, %d workers, %d stuck", len(q.conns), q.workers, q.stuck)
		}
		q.look(5)
		synctest.Wait()
		if len(q.conns) != 0 || q.workers != eager || q.stuck != eager {
			t.Errorf("after a while %d wait, %d workers, %d stuck", len(q.conns), q.workers, q.stuck)
		}
		q.ready(&conn{}) // needs no look now
		synctest.Wait()
		if len(q.conns) != 0 {
			t.Errorf("%d wait", len(q.conns))
		}
	})
}

func TestUnheard(t *testing.T) {
	var u unheard
	all := []*push{{pending: 1}, {pending: 2}, {pending: 3}}
	for i, p := range all {
		if u.add(p); u.len() != i+1 || u.find(p.pending) != p {
			t.Errorf("%d of %d", u.len(), i+1)
		}
	}
	u.drop(&push{})
	for i, p := range []*push{all[1], all[0], all[2]} {
		number := p.pending
		if u.drop(p); u.len() != 2-i || u.find(number) != nil || p.pending != 0 {
			t.Errorf("%d are left after %d", u.len(), i+1)
		}
	}
	if u.find(0) != nil || u.more != nil {
		t.Error("something is left")
	}
}
