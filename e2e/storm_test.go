package e2e

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	stormKeys      = 12
	stormListeners = 3 // of each key
	stormKills     = 3
)

// stormKey is one config, its writer and what its listeners have.
type stormKey struct {
	name   string
	acked  int // newest value that was acknowledged
	sent   int // newest value that was sent
	mu     sync.Mutex
	got    [stormListeners]int
	behind chan struct{} // told when a listener has got something
}

// TestPublishStorm kills the node, with -9, while many publish: no publish that was
// acknowledged is lost, and every listener ends up with the last one.
func TestPublishStorm(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	address := freePair(t)
	c := newCloud(t, "--registry-listen", address)
	u := &registryUser{t: t, ctx: ctx, bases: []string{"http://" + address + "/nacos"}}
	u.login(c.data)

	listening, stop := context.WithCancel(ctx)
	var writers, listeners sync.WaitGroup
	keys := make([]*stormKey, stormKeys)
	storm := make(chan struct{})
	for i := range keys {
		k := &stormKey{name: fmt.Sprintf("key-%d", i), behind: make(chan struct{}, 1)}
		keys[i] = k
		writers.Go(func() { k.write(u, storm) })
		for j := range stormListeners {
			listeners.Go(func() { k.listen(listening, u, j) })
		}
	}
	t.Cleanup(func() { stop(); listeners.Wait() })

	for range stormKills {
		spin(time.Duration(300+rand.IntN(500)) * time.Millisecond)
		c.kill()
		if err := c.start(); err != nil {
			t.Fatal(err)
		}
	}
	spin(300 * time.Millisecond)
	close(storm)
	writers.Wait()

	total := 0
	for _, k := range keys {
		body, err := u.do(0, "GET", "/v1/cs/configs?"+k.query().Encode(), nil)
		stored, bad := strconv.Atoi(body)
		if err != nil || bad != nil || stored < k.acked || stored > k.sent {
			t.Errorf("%s holds %q (%v); %d was acknowledged, %d sent", k.name, body, err, k.acked, k.sent)
		}
		total += k.acked
		k.wait(ctx, t, stored)
	}
	if total == 0 {
		t.Error("nothing was published at all")
	}
	t.Logf("%d publishes acknowledged over %d kills", total, stormKills)
}

func (k *stormKey) query() url.Values { return url.Values{"dataId": {k.name}, "group": {"storm"}} }

// write publishes one number after the other. One without an answer is sent again
// until it has one: publishing is idempotent.
func (k *stormKey) write(u *registryUser, stop <-chan struct{}) {
	for n := 1; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		k.sent = n
		form := k.query()
		form.Set("content", strconv.Itoa(n))
		for {
			body, err := u.do(0, "POST", "/v1/cs/configs", form)
			if err == nil && body == "true" {
				k.acked = n
				break
			}
			if u.ctx.Err() != nil {
				return
			}
			spin(20 * time.Millisecond) // the node is being started
		}
	}
}

// listen does what a client does: asks whether what it has is still so, waits for
// the answer, and reads what has changed.
func (k *stormKey) listen(ctx context.Context, u *registryUser, who int) {
	mine := *u
	mine.ctx = ctx
	sum := ""
	for ctx.Err() == nil {
		probe := url.Values{"Listening-Configs": {k.name + "\x02storm\x02" + sum + "\x01"}}
		changed, err := mine.do(0, "POST", "/v1/cs/configs/listener", probe, "Long-Pulling-Timeout", "30000")
		if err != nil {
			spin(20 * time.Millisecond) // the node is being started
			continue
		}
		if strings.TrimSpace(changed) == "" {
			continue
		}
		body, err := mine.do(0, "GET", "/v1/cs/configs?"+k.query().Encode(), nil)
		if err != nil {
			continue
		}
		digest := md5.Sum([]byte(body))
		sum = hex.EncodeToString(digest[:])
		n, _ := strconv.Atoi(body)
		k.mu.Lock()
		k.got[who] = n
		k.mu.Unlock()
		select {
		case k.behind <- struct{}{}:
		default:
		}
	}
}

// wait returns when every listener has the value that is stored.
func (k *stormKey) wait(ctx context.Context, t *testing.T, stored int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		k.mu.Lock()
		got := k.got
		k.mu.Unlock()
		all := true
		for _, n := range got {
			all = all && n == stored
		}
		if all {
			return
		}
		select {
		case <-k.behind:
		case <-ctx.Done():
			t.Errorf("%s: the listeners have %v, stored is %d", k.name, got, stored)
			return
		}
	}
}
