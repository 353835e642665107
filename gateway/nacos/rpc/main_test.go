package rpc

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) {
	leaktest.Main(m, goleak.IgnoreTopFunction("github.com/asynkron/protoactor-go/actor.(*ActorSystem).Start"))
}
