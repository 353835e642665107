package cluster_test

import (
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"
)

func quiet(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
