package auth

import "sync"

// cacheSize is how much one generation of a cache holds.
const cacheSize = 8192

// cache remembers values. It has two generations: when the young one is full it
// becomes the old one, and what was the old one is forgotten, so the cache is
// bounded and what is in use stays. The zero cache is ready.
type cache[K comparable, V any] struct {
	mu         sync.RWMutex
	young, old map[K]V
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.RLock()
	v, ok := c.young[key]
	young := ok
	if !ok {
		v, ok = c.old[key]
	}
	c.mu.RUnlock()
	if ok && !young {
		c.put(key, v)
	}
	return v, ok
}

func (c *cache[K, V]) put(key K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= cacheSize {
		c.old, c.young = c.young, nil
	}
	if c.young == nil {
		c.young = map[K]V{}
	}
	c.young[key] = v
}
