package membership_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protocluster "github.com/asynkron/protoactor-go/cluster"
	shippedconsul "github.com/asynkron/protoactor-go/cluster/clusterproviders/consul"
	"github.com/asynkron/protoactor-go/cluster/identitylookup/disthash"
	"github.com/asynkron/protoactor-go/remote"
	"github.com/hashicorp/consul/api"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	shippedCloud = "shipped"
	firstRetry   = 5 * time.Second // watch.Plan: the first pause; the next is 20 s
)

// child is members that use protoactor's own Consul provider.
type child struct {
	consul  *api.Client
	address string
	members []*protocluster.Cluster
	working chan struct{}
	stopped atomic.Bool
}

// runShipped does what it is asked for, line by line, and says how it went.
func runShipped(address string, in io.Reader, out io.Writer) {
	client, err := api.NewClient(&api.Config{Address: address})
	if err != nil {
		panic(err)
	}
	c := &child{consul: client, address: address, working: make(chan struct{})}
	before := goleak.IgnoreCurrent()
	for lines := bufio.NewScanner(in); lines.Scan(); {
		passed := true
		switch lines.Text() {
		case "start":
			c.join()
			c.join()
			passed = until(func() bool { return c.sees(0) == 2 && c.sees(1) == 2 })
		case "leave":
			passed = c.leave()
		case "outlast the first retry":
			passed = c.outlast()
		case "join another":
			c.join()
			passed = until(func() bool { return len(c.registered()) == 2 })
		case "see it":
			passed = c.sees(0) == 2
		case "register again":
			passed = c.registersAgain()
		case "shut down":
			passed = c.shutDown() && goleak.Find(before) == nil
		}
		_, _ = fmt.Fprintf(out, "%s %s\n", lines.Text(), map[bool]string{true: "passed", false: "failed"}[passed])
	}
}

func until(holds func() bool) bool {
	for limit := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			return false
		}
	}
	return true
}

func (c *child) join() {
	system := actor.NewActorSystemWithConfig(actor.Configure(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	})))
	provider, err := shippedconsul.NewWithConfig(&api.Config{Address: c.address})
	if err != nil {
		panic(err)
	}
	kind := protocluster.NewKind("grain", actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *emptypb.Empty:
			ctx.Respond(&emptypb.Empty{})
		case *actor.Stopping:
			<-c.working
			c.stopped.Store(true)
		}
	}))
	m := protocluster.New(system, protocluster.Configure(shippedCloud, provider, disthash.New(),
		remote.Configure("127.0.0.1", 0), protocluster.WithKinds(kind)))
	m.StartMember()
	c.members = append(c.members, m)
}

func (c *child) sees(member int) int { return c.members[member].MemberList.Members().Len() }

// registered are the members that Consul knows.
func (c *child) registered() []string {
	entries, _, err := c.consul.Health().Service(shippedCloud, "", false, nil)
	if err != nil {
		return nil
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Service.ID)
	}
	return ids
}

// leave ends the second member while a grain of it is still at work, and passes
// if the member stays registered until the grain has stopped.
func (c *child) leave() bool {
	leaver := c.members[1]
	c.members = c.members[:1]
	found := until(func() bool {
		for i := range 100 {
			pid := leaver.Get(fmt.Sprint(i), "grain")
			if pid != nil && pid.Address == leaver.ActorSystem.Address() {
				return true
			}
		}
		return false
	})
	go leaver.Shutdown(true)
	gone := until(func() bool { return len(c.registered()) == 1 })
	drained := c.stopped.Load()
	close(c.working)
	if !found || !gone {
		panic("the member did not leave at all")
	}
	return drained
}

// outlast returns after an outage has lasted longer than the first pause.
func (c *child) outlast() bool {
	down := until(func() bool { _, err := c.consul.Status().Leader(); return err != nil })
	<-time.After(firstRetry + time.Second)
	return down
}

// shutDown ends all members, and reports whether they have ended: sometimes the
// shipped provider never does.
func (c *child) shutDown() bool {
	const patience = 10 * time.Second
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, m := range c.members {
			m.Shutdown(true)
		}
	}()
	select {
	case <-done:
		return true
	case <-time.After(patience):
		return false
	}
}

// registersAgain gives the first member five seconds, in which it renews its
// registration five times.
func (c *child) registersAgain() bool {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for ctx.Err() == nil {
		if len(c.registered()) > 0 {
			return true
		}
		o := (&api.QueryOptions{WaitIndex: 1, WaitTime: time.Second}).WithContext(ctx)
		_, _, _ = c.consul.Health().Service(shippedCloud, "", false, o)
	}
	return false
}
