package identity

import "sync"

// cacheSize is how many sessions one generation of the cache holds.
const cacheSize = 16384

// cache remembers sessions by token. It has two generations: when the young one
// is full it becomes the old one, and what was the old one is forgotten, so the
// cache is bounded and what is in use stays. The zero cache is ready.
type cache struct {
	mu         sync.RWMutex
	young, old map[string]*session
}

func (c *cache) get(token string) *session {
	c.mu.RLock()
	s, young := c.young[token]
	if !young {
		s = c.old[token]
	}
	c.mu.RUnlock()
	if s != nil && !young {
		c.put(token, s)
	}
	return s
}

func (c *cache) put(token string, s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= cacheSize {
		c.old, c.young = c.young, nil
	}
	if c.young == nil {
		c.young = map[string]*session{}
	}
	c.young[token] = s
}
