package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	fleetTimeout = 3 * time.Minute // until every host is a candidate
	fleetPause   = 100 * time.Millisecond
	answerWait   = 5 * time.Second // for one decision
	maxNames     = 1000            // tried, until the hash gives what is wanted
)

// fleet measures decisions over many hosts of all nodes. This process joins them
// as one more member, on which the instances live that ask: a question and its
// answer each cross to the node where the scheduler is, and the scheduler asks
// every node about its hosts.
func fleet(r *run) error {
	if err := r.group.endAll(); err != nil {
		return err
	}
	if err := r.group.found(r.ctx, r.dir, "fleet", r.fleet); err != nil {
		return err
	}
	source, err := r.admitted()
	if err != nil {
		return err
	}
	for _, mode := range []struct {
		scheduler.Mode
		wanted string
	}{{scheduler.Filter, "< 50 ms"}, {scheduler.Caching, "< 5 ms"}} {
		if mode.Mode != scheduler.Filter { // in which they were started
			if err := r.group.endAll(); err != nil {
				return err
			}
			for _, m := range r.group.members {
				if err := m.start("--scheduler", string(mode.Mode)); err != nil {
					return err
				}
			}
		}
		if err := r.decisionsAcross(source, mode.Mode, mode.wanted); err != nil {
			return err
		}
	}
	return nil
}

// admitted is the certificate of a member with a name under which it would own
// some instances but not the scheduler.
func (r *run) admitted() (*pki.Source, error) {
	var members []view.Member
	for _, m := range r.group.members {
		members = append(members, view.Member{ID: m.name, Name: m.name, Roles: view.AllRoles})
	}
	name := ""
	for i := 0; name == "" && i < maxNames; i++ {
		self := view.Member{ID: "self", Name: fmt.Sprintf("bench%d", i), Roles: view.Control}
		if v := view.New(1, append(members[:len(members):len(members)], self)); !v.Owns(self.ID, scheduler.Main) {
			name = self.Name
		}
	}
	token, err := r.group.token(r.ctx, 1)
	if err != nil {
		return nil, err
	}
	files := pki.NodeFiles(filepath.Join(r.dir, "fleet", name))
	if _, err := pki.Join(r.ctx, pki.JoinConfig{Token: token, Files: files, Name: name, Roles: []string{pki.Control}}); err != nil {
		return nil, err
	}
	return pki.Open(files, pki.Options{Log: zerolog.Nop()})
}

// decisionsAcross measures decisions one after the other.
func (r *run) decisionsAcross(source *pki.Source, mode scheduler.Mode, wanted string) (err error) {
	answers := make(chan *messages.Decision, 1)
	asker := actors.Spec[struct{}]{Name: "instance", Volatile: true,
		Step: func(s struct{}, in actors.Input) (struct{}, []actors.Effect, error) {
			switch m := in.Message.(type) {
			case *messages.HostChosen:
				answers <- m.GetDecision()
			case *messages.NoHostFound:
				answers <- m.GetDecision()
			}
			return s, nil, nil
		}}
	address, prefix, _ := strings.Cut(r.group.address, "/")
	g, err := join(r.ctx, consul.Config{Address: address, Prefix: prefix}, source, view.Control,
		host.Spec(), scheduler.Spec(mode), asker.Kind())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.leave(context.WithoutCancel(r.ctx))) }()
	d := &decider{g: g, answers: answers}
	hosts, err := d.all(r.ctx, r.nodes*r.fleet)
	if err != nil {
		return err
	}
	before, took := r.usage(), make([]time.Duration, 0, decisions)
	for range decisions {
		began := time.Now()
		answer, err := d.decide(r.ctx)
		if err != nil {
			return err
		}
		if answer.GetChosen() == "" || answer.GetMode() != string(mode) || int(answer.GetHosts()) != hosts {
			return fmt.Errorf("decided by %q among %d hosts: %q", answer.GetMode(), answer.GetHosts(), answer.GetChosen())
		}
		took = append(took, time.Since(began))
	}
	r.add(fmt.Sprintf("one %s decision over %d hosts of %d nodes, asked from another: p50 (p99)", mode, hosts, r.nodes),
		percentiles(took), wanted, r.others(before))
	return nil
}

// decider asks the scheduler, in the name of instances that live here.
type decider struct {
	g       *guest
	answers chan *messages.Decision
	asked   int
}

// all waits until so many hosts are candidates.
func (d *decider) all(ctx context.Context, hosts int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, fleetTimeout)
	defer cancel()
	for {
		answer, err := d.decide(ctx)
		if err == nil && int(answer.GetHosts()) == hosts && answer.GetChosen() != "" {
			return hosts, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%d of %d hosts are candidates: %w, %w", answer.GetHosts(), hosts, err, ctx.Err())
		case <-time.After(fleetPause):
		}
	}
}

func (d *decider) decide(ctx context.Context) (*messages.Decision, error) {
	id, self := "", d.g.Self().ID
	for tries := 0; id == ""; tries++ {
		d.asked++
		name := fmt.Sprintf("bench-%d", d.asked)
		if d.g.View().Owns(self, actors.Ref{Kind: "instance", ID: name}) {
			id = name
		} else if tries > maxNames {
			return nil, errors.New("no instance would live here")
		}
	}
	err := d.g.node.Client().Tell(ctx, scheduler.Main, &messages.ScheduleInstance{
		InstanceId: id, Attempt: 1, Shape: &messages.ScheduleShape{Vcpus: 1, RamMib: 512, DiskGib: 1},
	})
	if err != nil {
		return nil, err
	}
	timeout := time.NewTimer(answerWait)
	defer timeout.Stop()
	select {
	case answer := <-d.answers:
		return answer, nil
	case <-timeout.C:
		return nil, fmt.Errorf("the scheduler did not answer within %v", answerWait)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
