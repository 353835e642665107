package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/messages"
)

const decisions = 200 // one after the other, for the median

// schedule measures one decision at a time in filter mode, from the question of
// an instance to the answer it is told, over many hosts.
func schedule(r *run) error {
	for _, of := range []struct {
		hosts  int
		wanted string
	}{{1000, "< 3 ms"}, {10000, "< 25 ms"}} {
		took, err := decide(r.ctx, of.hosts)
		if err != nil {
			return err
		}
		r.add(fmt.Sprintf("one scheduling decision over %d hosts, p50 (p99)", of.hosts),
			fmt.Sprintf("%.2f ms (%.2f ms)", ms(at(took, 50)), ms(at(took, 99))), of.wanted, "")
	}
	return nil
}

// decide asks for decisions in a node with nothing but hosts and a scheduler.
func decide(ctx context.Context, hosts int) ([]time.Duration, error) {
	answers := make(chan error, 1)
	asker := actors.Spec[struct{}]{Name: "instance", Volatile: true,
		Step: func(s struct{}, in actors.Input) (struct{}, []actors.Effect, error) {
			switch m := in.Message.(type) {
			case *messages.HostChosen:
				answers <- nil
			case *messages.NoHostFound:
				answers <- fmt.Errorf("no host: %s", m.GetReason())
			}
			return s, nil, nil
		}}
	node, err := cluster.Start(ctx, cluster.Config{
		Name: "bench", Store: mem.New(), Log: zerolog.Nop(),
		Kinds: []actors.Kind{host.Spec(), scheduler.Spec(scheduler.Filter), asker.Kind()},
	})
	if err != nil {
		return nil, err
	}
	defer node.Stop(context.WithoutCancel(ctx)) //nolint:errcheck // nothing of it is kept
	for i := range hosts {
		name := fmt.Sprintf("host-%05d", i)
		if err := node.AttachHost(name, "nova", sim.New(sim.Config{Name: name})); err != nil {
			return nil, err
		}
	}
	if err := allUp(ctx, node.Client(), hosts); err != nil {
		return nil, err
	}
	took := make([]time.Duration, 0, decisions)
	for i := range decisions {
		began := time.Now()
		err := node.Client().Tell(ctx, scheduler.Main, &messages.ScheduleInstance{
			InstanceId: fmt.Sprintf("instance-%d", i), Attempt: 1,
			Shape: &messages.ScheduleShape{Vcpus: 1, RamMib: 512, DiskGib: 1},
		})
		if err != nil {
			return nil, err
		}
		select {
		case err := <-answers:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// allUp waits until every host has heard of its hypervisor.
func allUp(ctx context.Context, c *cluster.Client, hosts int) error {
	for i := 0; i < hosts; {
		to := actors.Ref{Kind: host.Kind, ID: fmt.Sprintf("host-%05d", i)}
		v, err := cluster.Ask[*messages.HostView](ctx, c, to, &messages.GetHost{})
		if err == nil && v.GetFacts().GetUp() {
			i++
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}
