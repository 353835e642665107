package instance

import (
	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// stepMember is Step, and tells the scaling group, if there is one, whenever
// something has changed that it goes by. Nothing rests on that word: the group looks
// by itself too, only later.
func stepMember(s State, in actors.Input) (State, []actors.Effect, error) {
	after, effects, err := Step(s, in)
	if err == nil && !in.Writes(actors.FormatLean) && !messages.IsQuery(in.Message) {
		after = after.first()
	}
	if err != nil || after.View.GetGroupId() == "" || messages.IsQuery(in.Message) {
		return after, effects, err
	}
	was, is := s.View, after.View
	if was.GetVmState() == is.VmState && was.GetTaskState() == is.TaskState && was.GetHost() == is.Host {
		return after, effects, nil
	}
	return after, append(effects, actors.Tell{
		To: actors.Ref{Kind: "group", ID: is.GroupId}, Message: &messages.MemberChanged{InstanceId: is.Id},
	}), nil
}

// Check refuses what no instance could be created by: for who keeps commands for
// later.
func Check(m *messages.CreateInstance) error { return valid(m.GetId(), m) }
