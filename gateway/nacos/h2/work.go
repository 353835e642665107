package h2

// job is a call that has its message.
type job struct {
	s  *stream
	in *message
}

// submit has a call worked on by a goroutine that has worked before, for its stack
// has grown already, or by a new one.
func (s *Server) submit(j job) {
	select {
	case s.jobs <- j:
	default:
		go s.work(j)
	}
}

func (s *Server) work(j job) {
	for {
		c := j.s.conn
		r := c.peer.Call(j.in.b[prefix:])
		j.in.free()
		c.answer(j.s, r)
		select {
		case s.idle <- struct{}{}:
		default:
			return // enough wait
		}
		select {
		case j = <-s.jobs:
			<-s.idle
		case <-s.done:
			return
		}
	}
}
