package consultest_test

import (
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// Each set-up takes a write, keeps it over a crash (dev: loses it), and is empty
// after a wipe.
func TestClusters(t *testing.T) {
	for name, o := range map[string]consultest.Options{
		"one":      {},
		"three":    {Servers: 3},
		"dev":      {Dev: true},
		"acl, tls": {ACL: true, TLS: true},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			c := consultest.Start(t, o)
			t.Logf("started after %v", time.Since(began))
			if _, err := c.Client(0).KV().Put(&api.KVPair{Key: "a", Value: []byte("1")}, nil); err != nil {
				t.Fatal(err)
			}
			leader, err := c.Leader(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			began = time.Now()
			c.Kill(leader)
			if err := c.WaitLeader(t.Context()); err != nil { // of those that are left
				t.Fatal(err)
			}
			if err := c.Restart(t.Context(), leader); err != nil {
				t.Fatal(err)
			}
			t.Logf("leader killed and back after %v", time.Since(began))
			if pair, _, err := c.Client(0).KV().Get("a", nil); err != nil || (pair == nil) != o.Dev {
				t.Errorf("after a crash: %v, %v", pair, err)
			}
			if err := c.Wipe(t.Context()); err != nil {
				t.Fatal(err)
			}
			if pair, _, err := c.Client(0).KV().Get("a", nil); err != nil || pair != nil {
				t.Errorf("after a wipe: %v, %v", pair, err)
			}
		})
	}
}
