package consul_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/store/storetest"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

// shared is one server for all tests that do it no harm; each has its own folder.
var shared struct {
	once    sync.Once
	cluster *consultest.Cluster
	dir     string
	err     error
	folders atomic.Int64
}

func TestMain(m *testing.M) {
	code := leaktest.Run(m, goleak.IgnoreAnyFunction("github.com/troupe-cloud/troupe/cluster/consultest.(*server).start.func2"))
	if shared.cluster != nil {
		shared.cluster.Close()
	}
	_ = os.RemoveAll(shared.dir)
	os.Exit(code)
}

// atLast tries until Consul has answered: on a busy machine it may not within the
// patience of a store that has little.
func atLast(t testing.TB, try func() error) {
	t.Helper()
	err := try()
	for end := time.Now().Add(2 * time.Minute); errors.Is(err, messages.Unavailable) && time.Now().Before(end); {
		err = try()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func sharedConsul(t testing.TB) *consultest.Cluster {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "troupe-consul-"); shared.err == nil {
			shared.cluster, shared.err = consultest.New(t.Context(), consultest.Options{Dev: true, Dir: shared.dir})
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}

// folder is one that no other test uses.
func folder() string { return fmt.Sprintf("test-%d", shared.folders.Add(1)) }

func open(t testing.TB, c consul.Config) *consul.Store {
	t.Helper()
	c.Patience = cmp.Or(c.Patience, time.Minute) // of a machine that is busy with other tests
	var s *consul.Store
	atLast(t, func() (err error) {
		s, err = consul.Open(t.Context(), c)
		return err
	})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	addr := sharedConsul(t).Addr()
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, consul.Config{Address: addr, Prefix: folder()})
	})
}
