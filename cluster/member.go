package cluster

import (
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"
	protocluster "github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/remote"
	"github.com/rs/zerolog"
)

// embedded is the cluster provider of a cloud in one process: the only member
// is this one. It opens no port and starts no gossip.
type embedded struct{ kinds []string }

var _ protocluster.ClusterProvider = embedded{}

// StartMember is protoactor's.
func (e embedded) StartMember(c *protocluster.Cluster) error {
	c.MemberList.UpdateClusterTopology(protocluster.Members{{
		Id: c.ActorSystem.ID, Host: c.ActorSystem.Address(), Kinds: e.kinds,
	}})
	return nil
}

// StartClient is protoactor's.
func (e embedded) StartClient(*protocluster.Cluster) error { return nil }

// Shutdown is protoactor's.
func (e embedded) Shutdown(bool) error { return nil }

// newMember puts a one-member cluster together by hand. Cluster.StartMember
// would do it too, but it listens on a TCP port, gossips every 300 ms with
// nobody, and sleeps a second; its Shutdown sleeps two.
func newMember(name string, l *lookup, system *actor.ActorSystem) (*protocluster.Cluster, error) {
	e := embedded{}
	for kind := range l.kinds {
		e.kinds = append(e.kinds, kind)
	}
	rc := remote.Configure("127.0.0.1", 0)
	c := protocluster.New(system, protocluster.Configure(name, e, l, rc))
	c.Remote = remote.NewRemote(system, rc) // holds the block list; never started
	c.IdentityLookup = l
	l.Setup(c, e.kinds, false)
	return c, e.StartMember(c)
}

func newSystem(log zerolog.Logger) *actor.ActorSystem {
	logger := newSlog(log)
	return actor.NewActorSystemWithConfig(actor.Configure(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return logger }),
	))
}
