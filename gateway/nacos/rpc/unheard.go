package rpc

// unheard is what a client has not acknowledged yet, by number. Most have one push
// under way at most: for those there is no map.
type unheard struct {
	one  *push
	more map[uint64]*push
}

func (u *unheard) add(p *push) {
	if u.one == nil {
		u.one = p
		return
	}
	if u.more == nil {
		u.more = map[uint64]*push{}
	}
	u.more[p.pending] = p
}

// drop forgets p, which is not pending any more then.
func (u *unheard) drop(p *push) {
	switch {
	case p.pending == 0:
		return
	case u.one == p:
		u.one = nil
	default:
		delete(u.more, p.pending)
		if len(u.more) == 0 {
			u.more = nil
		}
	}
	p.pending = 0
}

// find is what was sent as number; nil: nothing that is still waited for.
func (u *unheard) find(number uint64) *push {
	if u.one != nil && u.one.pending == number {
		return u.one
	}
	return u.more[number]
}

// len is how many wait to be acknowledged.
func (u *unheard) len() int {
	n := len(u.more)
	if u.one != nil {
		n++
	}
	return n
}
