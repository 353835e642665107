package scheduler

import (
	"github.com/benbjohnson/immutable"

	"github.com/troupe-cloud/troupe/messages"
)

// line is who waits to be placed, in the order they came, each once. It is persistent:
// joining a long one costs no more than joining a short one. The zero line is empty.
type line struct {
	asked   *immutable.List[*messages.ScheduleInstance]
	attempt *immutable.Map[string, int32] // by instance, the last one asked for
}

func (l line) len() int {
	if l.asked == nil {
		return 0
	}
	return l.asked.Len()
}

// join is l with m at its end, if it does not wait for that attempt, or a later one, already.
func (l line) join(m *messages.ScheduleInstance) line {
	if l.asked == nil {
		l = line{immutable.NewList[*messages.ScheduleInstance](), immutable.NewMap[string, int32](nil)}
	}
	if waits, ok := l.attempt.Get(m.InstanceId); ok && waits >= m.Attempt {
		return l
	}
	return line{l.asked.Append(m), l.attempt.Set(m.InstanceId, m.Attempt)}
}

// leave is the first n, or all if they are fewer, and l without them.
func (l line) leave(n int) ([]*messages.ScheduleInstance, line) {
	n = min(n, l.len())
	first := make([]*messages.ScheduleInstance, n)
	for i := range first {
		first[i] = l.asked.Get(i)
	}
	if n == l.len() {
		return first, line{}
	}
	left := line{l.asked.Slice(n, l.len()), l.attempt}
	for _, m := range first {
		if waits, _ := left.attempt.Get(m.InstanceId); waits == m.Attempt {
			left.attempt = left.attempt.Delete(m.InstanceId)
		}
	}
	return first, left
}
