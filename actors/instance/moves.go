package instance

import (
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// moves is the table of the instance's changes of host; MaxMoves is how many it
// keeps.
const (
	moves    = "moves"
	MaxMoves = 16
)

// What a change of host can be in, in the words of the compute API.
const (
	acceptedMove  = "accepted"
	runningMove   = "pre-migrating"
	doneMove      = "done"
	completedMove = "completed" // the old host has cleared away what it had
	failedMove    = "failed"
	cancelledMove = "cancelled"
)

// MigrationPrefix is where changes of host are listed, the newest first.
const MigrationPrefix = "migration/"

// moveSpace is the name space (RFC 9562, version 5) of their ids.
var moveSpace = uuid.MustParse("0f7d3f3e-6a0c-5c1b-9d55-4f5b1d0f7a63")

// recordMove opens the record of an evacuation. Its key is the number of the action
// in the history.
func (s State) recordMove(now time.Time, by *messages.EvacuateInstance) State {
	key := s.Evac.Move
	s.Moves = s.Moves.Set(key, &messages.Migration{
		Id: uuid.NewSHA1(moveSpace, []byte(s.View.Id+key)).String(), InstanceId: s.View.Id,
		Kind: "evacuation", Status: acceptedMove, SourceHost: s.View.Host, SourceHypervisor: s.View.HypervisorHostname,
		TargetHost: s.Evac.Asked, FlavorId: s.View.Flavor.GetId(), UserId: by.UserId, ProjectId: by.ProjectId,
		CreatedAt: now.UnixNano(), UpdatedAt: now.UnixNano(),
	})
	for oldest, ok := s.oldestMove(); ok && s.Moves.Len() > MaxMoves; oldest, ok = s.oldestMove() {
		s.Moves = s.Moves.Delete(oldest)
	}
	return s
}

func (s State) oldestMove() (oldest string, ok bool) {
	for key := range s.Moves.All() {
		if !ok || key < oldest {
			oldest, ok = key, true
		}
	}
	return oldest, ok
}

// move changes a copy of the record of the evacuation under way.
// where is the target, or its hypervisor once that is known.
func (s State) move(now time.Time, status, where string) State {
	key := s.Evac.Move
	m, ok := s.Moves.Get(key)
	if !ok {
		return s
	}
	m = proto.Clone(m).(*messages.Migration)
	m.Status, m.UpdatedAt = status, now.UnixNano()
	switch status {
	case runningMove:
		m.TargetHost = where
	case doneMove:
		m.TargetHypervisor = where
	}
	s.Moves = s.Moves.Set(key, m)
	return s
}

// completed notes that the host which the instance has left has nothing of it any
// more.
func (s State) completed(now time.Time, r *messages.DomainReported) State {
	if !r.Absent || !r.Ended || r.Host == s.View.Host {
		return s
	}
	for key, m := range s.Moves.All() {
		if m.Status == doneMove && m.SourceHost == r.Host {
			m = proto.Clone(m).(*messages.Migration)
			m.Status, m.UpdatedAt = completedMove, now.UnixNano()
			s.Moves = s.Moves.Set(key, m)
		}
	}
	return s
}

func rowIndex(s State, table, row string) []actors.Entry {
	if table != moves {
		return nil
	}
	m, ok := s.Moves.Get(row)
	if !ok {
		return nil
	}
	return []actors.Entry{{Key: fmt.Sprintf("%s%020d-%s", MigrationPrefix, math.MaxInt64-m.CreatedAt, m.Id), View: m}}
}
