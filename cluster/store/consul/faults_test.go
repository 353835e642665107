package consul_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
)

// badNetwork stands before a Consul. It loses requests, loses answers, and
// delivers requests late, after their sender has given up.
type badNetwork struct {
	*httptest.Server
	off  atomic.Bool
	lost [3]atomic.Int64 // requests, answers, late ones
	late sync.WaitGroup
}

func newBadNetwork(t *testing.T, addr string) *badNetwork {
	n := &badNetwork{}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	forward := func(r *http.Request, body string) (*http.Response, error) {
		out, err := http.NewRequest(r.Method, "http://"+addr+r.URL.RequestURI(), strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		return transport.RoundTrip(out)
	}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		fate := rand.IntN(30)
		if n.off.Load() {
			fate = 29
		}
		if fate < 3 {
			n.lost[fate].Add(1)
		}
		if fate == 0 {
			panic(http.ErrAbortHandler)
		}
		if fate == 2 {
			n.late.Go(func() {
				<-time.After(rand.N(100 * time.Millisecond))
				if resp, err := forward(r, string(raw)); err == nil {
					_ = resp.Body.Close()
				}
			})
			panic(http.ErrAbortHandler)
		}
		resp, err := forward(r, string(raw))
		if err != nil || fate == 1 {
			if err == nil {
				_ = resp.Body.Close()
			}
			panic(http.ErrAbortHandler)
		}
		defer func() { _ = resp.Body.Close() }()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(func() { n.Close(); n.late.Wait(); transport.CloseIdleConnections() })
	return n
}

func (n *badNetwork) addr() string { return strings.TrimPrefix(n.URL, "http://") }

// TestLostAnswers: whatever the network does to requests and answers, each commit
// is told what became of it, none takes place after that, and successive writes
// of a key never change places.
func TestLostAnswers(t *testing.T) {
	n := newBadNetwork(t, sharedConsul(t).Addr())
	n.off.Store(true)
	s := open(t, consul.Config{Address: n.addr(), Prefix: folder()})
	n.off.Store(false)
	const writers, rounds = 24, 60
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			key, rev, value := fmt.Sprintf("k/%d", w), uint64(0), ""
			for i := range rounds {
				next := fmt.Sprint(i)
				txn := store.Txn{Writes: []store.Write{{Key: key, Value: []byte(next)}}}
				switch {
				case w%3 != 0: // the others write blindly
					txn.Checks = []store.Check{{Key: key, Revision: rev}}
				case i%10 == 9: // large
					for j := range 100 {
						txn.Writes = append(txn.Writes, store.Write{Key: fmt.Sprintf("l/%d/%d", w, j), Value: []byte(next)})
					}
				}
				got, err := s.Commit(context.Background(), txn)
				if err != nil {
					t.Errorf("%s, round %d: %v", key, i, err)
					return
				}
				rev, value = got, next
			}
			item, err := s.Get(context.Background(), key)
			if err != nil || item.Revision != rev || string(item.Value) != value {
				t.Errorf("%s is %q at %d, want %q at %d, %v", key, item.Value, item.Revision, value, rev, err)
			}
		})
	}
	wg.Wait()
	n.late.Wait()
	n.off.Store(true)
	for _, item := range all(t, s, "", 0) {
		if want := fmt.Sprint(rounds - 1); string(item.Value) != want {
			t.Errorf("%s is %q in the end", item.Key, item.Value)
		}
	}
	t.Logf("lost %d requests and %d answers, %d came late", n.lost[0].Load(), n.lost[1].Load(), n.lost[2].Load())
}

// TestOrder: commits of one key that do not wait for each other take place in
// the order in which they were submitted.
func TestOrder(t *testing.T) {
	s := open(t, consul.Config{Address: sharedConsul(t).Addr(), Prefix: folder()})
	var wg sync.WaitGroup
	var last atomic.Uint64
	for i := range 300 {
		wg.Add(1)
		key := fmt.Sprintf("own/%d", i)
		s.Submit(store.Txn{Writes: []store.Write{{Key: "k", Value: fmt.Append(nil, i)}, {Key: key, Value: []byte("x")}}}, func(rev uint64, err error) {
			defer wg.Done()
			if before := last.Swap(rev); err != nil || rev <= before {
				t.Errorf("commit %d: revision %d after %d, %v", i, rev, before, err)
			}
		})
	}
	wg.Wait()
	if item := items1(t, s, "k"); string(item.Value) != "299" {
		t.Errorf("the last one is %s", item.Value)
	}
}

// TestSameWriter: a process that starts again under its name ends what its
// predecessor has on the way, and two by mistake still lose nothing.
func TestSameWriter(t *testing.T) {
	c := consul.Config{Address: sharedConsul(t).Addr(), Prefix: folder(), Writer: "n1"}
	var wg sync.WaitGroup
	for range 2 {
		s := open(t, c)
		for w := range 4 {
			wg.Go(func() {
				rev, err := uint64(0), error(nil)
				for i := range 20 {
					key := fmt.Sprintf("%p/%d", s, w)
					rev, err = s.Commit(context.Background(), store.Txn{
						Checks: []store.Check{{Key: key, Revision: rev}}, Writes: []store.Write{{Key: key, Value: fmt.Append(nil, i)}},
					})
					if errors.Is(err, store.ErrStale) || err != nil && !errors.Is(err, store.ErrUndecided) {
						t.Errorf("%s: %v", key, err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}
