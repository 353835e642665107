package consul_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
)

// olderConsul stands before a Consul and takes only so many operations in one
// transaction, as older versions do.
type olderConsul struct {
	*httptest.Server
	most, seen atomic.Int64 // operations: taken, and the most of one that was
}

// sees notes a transaction. Others of the store, as its lanes', go on meanwhile.
func (o *olderConsul) sees(ops int64) {
	for seen := o.seen.Load(); seen < ops && !o.seen.CompareAndSwap(seen, ops); seen = o.seen.Load() {
	}
}

func newOlderConsul(t *testing.T, address string) *olderConsul {
	o := &olderConsul{}
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	transport := &http.Transport{}
	behind.Transport = transport
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var ops []json.RawMessage
		if r.URL.Path == "/v1/txn" && json.Unmarshal(body, &ops) == nil {
			if int64(len(ops)) > o.most.Load() {
				http.Error(w, "Transaction contains too many operations (65 > 64)", http.StatusRequestEntityTooLarge)
				return
			}
			o.sees(int64(len(ops)))
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { o.Close(); transport.CloseIdleConnections() })
	return o
}

// An older Consul, which takes fewer operations in a transaction, is given fewer;
// also if it is older from some moment on, as after a switch to another agent.
func TestOlderConsul(t *testing.T) {
	o := newOlderConsul(t, sharedConsul(t).Addr())
	for _, most := range []int64{64, 128} {
		o.most.Store(most)
		s := open(t, consul.Config{Address: o.Listener.Addr().String(), Prefix: folder()})
		payload := int(most) - 2
		if writes, _ := s.Cheap(); writes != payload {
			t.Errorf("with %d operations: %d writes are cheap, not %d", most, writes, payload)
		}
		rev := mustCommit(t, s, wide(payload, 0, []byte("one")))
		if seen := o.seen.Load(); seen < int64(payload) || seen > most {
			t.Errorf("with %d operations: at most %d went together", most, seen)
		}
		o.most.Store(64)
		var err error
		if rev, err = s.Commit(t.Context(), wide(payload, rev, []byte("two"))); most > 64 {
			if !errors.Is(err, store.ErrUndecided) {
				t.Errorf("too many operations: %v", err)
			}
			rev, err = s.Commit(t.Context(), wide(payload, items1(t, s, "w/0000").Revision, []byte("two")))
		}
		if err != nil || rev == 0 {
			t.Errorf("with %d operations: %v", most, err)
		}
		if items := all(t, s, "w/", 1000); len(items) != payload || string(items[payload-1].Value) != "two" {
			t.Errorf("with %d operations: %d items", most, len(items))
		}
	}
}
