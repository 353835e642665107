package cluster

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protocluster "github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/remote"
	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// provider is protoactor's cluster provider: its members are those of our view,
// and nobody else's. It opens no port and starts no gossip.
type provider struct {
	node  *Node
	kinds []string
}

var (
	_ protocluster.ClusterProvider = provider{}
	_ protocluster.IdentityLookup  = (*lookup)(nil)
)

// StartMember is protoactor's. Without others, this process is the only member.
func (p provider) StartMember(c *protocluster.Cluster) error {
	if p.node.net == nil {
		c.MemberList.UpdateClusterTopology(protocluster.Members{{
			Id: c.ActorSystem.ID, Host: c.ActorSystem.Address(), Kinds: p.kinds,
		}})
	}
	return nil
}

// StartClient is protoactor's.
func (provider) StartClient(*protocluster.Cluster) error { return nil }

// Shutdown is protoactor's.
func (provider) Shutdown(bool) error { return nil }

// showMembers tells protoactor who is there.
func (n *Node) showMembers(v *view.View) {
	var kinds []string
	for kind := range n.lookup.kinds {
		kinds = append(kinds, kind)
	}
	members := make(protocluster.Members, len(v.Members))
	for i, m := range v.Members {
		// The address names the start, so that who comes back is another member.
		members[i] = &protocluster.Member{Id: m.ID, Host: m.ID, Kinds: kinds}
	}
	n.member.MemberList.UpdateClusterTopology(members)
}

// newMember puts protoactor's cluster together by hand. Cluster.StartMember would
// do it too, but it listens on a TCP port, gossips every 300 ms, and sleeps a
// second; its Shutdown sleeps two.
func newMember(n *Node) (*protocluster.Cluster, error) {
	p := provider{node: n}
	for kind := range n.lookup.kinds {
		p.kinds = append(p.kinds, kind)
	}
	rc := remote.Configure("127.0.0.1", 0)
	c := protocluster.New(n.system, protocluster.Configure(n.config.Name, p, n.lookup, rc))
	c.Remote = remote.NewRemote(n.system, rc) // holds the block list; never started
	c.IdentityLookup = n.lookup
	n.lookup.Setup(c, p.kinds, false)
	n.system.ProcessRegistry.RegisterAddressResolver(n.resolve)
	return c, p.StartMember(c)
}

func newSystem(log zerolog.Logger) *actor.ActorSystem {
	logger := newSlog(log)
	return actor.NewActorSystemWithConfig(actor.Configure(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return logger }),
	))
}

// Get is protoactor's way to find a grain; nil if there is no such kind. The PID
// of one that lives elsewhere has its owner's address and the id "kind/id".
func (l *lookup) Get(id *protocluster.ClusterIdentity) *actor.PID {
	ref := actors.Ref{Kind: id.Kind, ID: id.Identity}
	if l.kinds[ref.Kind] == nil {
		return nil
	}
	if r := l.node.routing.Load(); r != nil && r.admit(ref) != nil {
		to, _ := r.owner(ref)
		return actor.NewPID(remotePrefix+to.Address, ref.Kind+"/"+ref.ID)
	}
	s := l.shard(ref)
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := l.activate(s, &call{to: ref})
	if err != nil {
		l.node.log.Warn().Err(err).Msg("a grain was asked for that cannot be")
		return nil
	}
	return g.pid
}

// RemovePid is protoactor's; grains leave by themselves.
func (l *lookup) RemovePid(*protocluster.ClusterIdentity, *actor.PID) {}

// Setup is protoactor's; all is set up already.
func (l *lookup) Setup(*protocluster.Cluster, []string, bool) {}

// Shutdown is protoactor's; Node.Stop does it.
func (l *lookup) Shutdown() {}

// remotePrefix begins the address of a PID that is not of this process.
const remotePrefix = "member/"

// resolve is the process behind a PID of another member: whatever is sent to it
// is asked of the grain, wherever that is by then.
func (n *Node) resolve(pid *actor.PID) (actor.Process, bool) {
	if n.net == nil || !strings.HasPrefix(pid.Address, remotePrefix) {
		return nil, false
	}
	return distant{n}, true
}

// distant stands for the grains of other members.
type distant struct{ node *Node }

// SendUserMessage is actor.Process's.
func (d distant) SendUserMessage(pid *actor.PID, message any) {
	_, m, sender := actor.UnwrapEnvelope(message)
	e, ok := m.(*messages.Envelope)
	if !ok || d.node.stopping.Load() {
		d.answer(sender, &actor.DeadLetterResponse{Target: pid})
		return
	}
	kind, id, _ := strings.Cut(pid.Id, "/")
	c, err := fromEnvelope(e)
	if err != nil {
		d.answer(sender, toReply(nil, err))
		return
	}
	c.to = actors.Ref{Kind: kind, ID: id}
	if c.deadline.IsZero() {
		c.deadline = time.Now().Add(DefaultDeadline)
	}
	if e.GetTell() {
		_ = d.node.deliver(c)
		return
	}
	go func() {
		ctx, cancel := context.WithDeadline(d.node.ctx, c.deadline)
		defer cancel()
		d.answer(sender, toReply(d.node.client.ask(ctx, *c)))
	}()
}

func (d distant) answer(sender *actor.PID, m any) {
	if sender != nil {
		d.node.system.Root.Send(sender, m)
	}
}

// SendSystemMessage is actor.Process's: nobody watches or stops what is not here.
func (distant) SendSystemMessage(*actor.PID, any) {}

// Stop is actor.Process's.
func (distant) Stop(*actor.PID) {}
