package cluster_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protocluster "github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/cluster/identitylookup/disthash"
	"github.com/asynkron/protoactor-go/remote"

	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/messages"
)

// What our lookup is for: protoactor's own lets one identity live twice while
// members disagree. It runs in a process of its own, as it leaves goroutines.
const shippedEnv = "TROUPE_TEST_SHIPPED_LOOKUP"

func TestShippedLookup(t *testing.T) {
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), shippedEnv+"=1", "GORACE=exitcode=0") // it has data races too
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "alive at once: 2") {
		t.Errorf("the shipped lookup did what it is known not to do: %v\n%s", err, out)
	}
}

// TestOneActivation is the same with ours: a member that has seen a new one's
// view only later keeps its grain until then, and the new one waits.
func TestOneActivation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := 300 * time.Millisecond
		c := newNodes(t, clustertest.Config{Seed: 3, ViewDelay: late}, counterKind())
		c.start("a")
		const many = 40
		for i := range many {
			mustCount(t, c.all["a"], fmt.Sprint(i), "x")
		}
		c.startAs("b", 7)
		alive := func() (n int64) {
			for _, node := range c.all {
				n += node.Client().Stats().Actors["counter"]
			}
			return n
		}
		for i := range many { // by whichever node
			for _, n := range c.all {
				if got := mustRead(t, n, fmt.Sprint(i))["n"]; got != 1 {
					t.Errorf("counter %d is at %d", i, got)
				}
				if got := alive(); got > many {
					t.Errorf("%d activations of %d grains", got, many)
				}
			}
		}
		if got := c.all["b"].Client().Stats().Actors["counter"]; got == 0 {
			t.Error("nothing has moved")
		}
		c.close()
	})
}

// idleProvider is a cluster provider that tells nobody anything.
type idleProvider struct{}

func (idleProvider) StartMember(*protocluster.Cluster) error { return nil }
func (idleProvider) StartClient(*protocluster.Cluster) error { return nil }
func (idleProvider) Shutdown(bool) error                     { return nil }

// shippedLookup has two members, of which one has not heard of the other yet.
func shippedLookup() {
	var alive atomic.Int64
	start := func() (*protocluster.Cluster, *protocluster.Member) {
		system := actor.NewActorSystem(actor.WithLoggerFactory(quiet))
		props := actor.PropsFromFunc(func(c actor.Context) {
			switch c.Message().(type) {
			case *actor.Started:
				alive.Add(1)
			case *actor.Stopped:
				alive.Add(-1)
			case *protocluster.ClusterInit:
			case *messages.Nudged:
				c.Respond(&messages.Done{})
			}
		})
		c := protocluster.New(system, protocluster.Configure("shipped", idleProvider{}, disthash.New(),
			remote.Configure("127.0.0.1", 0), protocluster.WithKinds(protocluster.NewKind("k", props))))
		c.StartMember()
		host, port, _ := system.GetHostPort()
		return c, &protocluster.Member{Id: system.ID, Host: host, Port: int32(port), Kinds: []string{"k"}}
	}
	one, first := start()
	two, second := start()
	one.MemberList.UpdateClusterTopology(protocluster.Members{first})
	two.MemberList.UpdateClusterTopology(protocluster.Members{first, second})
	most := int64(0)
	for i := range 20 {
		before := alive.Load()
		for _, c := range []*protocluster.Cluster{one, two} {
			if got, err := c.Request(fmt.Sprint(i), "k", &messages.Nudged{}); err != nil || got == nil {
				fmt.Println(got, err)
			}
		}
		most = max(most, alive.Load()-before)
	}
	fmt.Println("alive at once:", most)
	os.Exit(0)
}
