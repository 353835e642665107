package rpc

import (
	"strconv"
	"time"
)

// look asks clients that are silent whether they live, and gives up those that do
// not, that read too slowly, or that never say who they are.
func (s *Server) look(now time.Time) {
	s.mu.Lock()
	all := make([]*conn, 0, len(s.links))
	for c := range s.links {
		all = append(all, c)
	}
	s.mu.Unlock()
	ms := now.UnixMilli()
	for _, c := range all {
		if why := c.fault(ms); why != "" {
			s.cfg.Log.Info().Str("connection", c.id).Str("why", why).Msg("a client is given up")
			c.kill()
		}
	}
}

// fault is why a connection is to be closed; empty: it is not. A client that has
// been silent is asked.
func (c *conn) fault(now int64) string {
	if since := c.writing.Load(); since != 0 && now-since > slowTime.Milliseconds() {
		return "it reads too slowly"
	}
	silent := now - c.active.Load()
	if !c.registered() {
		if silent > setupTime.Milliseconds() {
			return "it does not say who it is"
		}
		return ""
	}
	if asked := c.asked.Load(); asked != 0 {
		if now-asked > detectTime.Milliseconds() {
			return "it does not answer"
		}
		return ""
	}
	if silent >= idleTime.Milliseconds() {
		c.asked.Store(now)
		c.say("ClientDetectionRequest", c.server.request("internal", nil))
	}
	return ""
}

// number is one for a request to a client.
func (s *Server) number() uint64 { return s.numbers.Add(1) }

// request is the body of a request to a client: what is given are further fields,
// each with a comma in front.
func (s *Server) request(module string, fields []byte) []byte {
	return appendRequest(make([]byte, 0, 64+len(fields)), s.number(), module, fields)
}

func appendRequest(b []byte, number uint64, module string, fields []byte) []byte {
	b = strconv.AppendUint(append(b, `{"headers":{},"requestId":"`...), number, 10)
	b = append(append(append(b, `","module":"`...), module...), '"')
	return append(append(b, fields...), '}')
}
