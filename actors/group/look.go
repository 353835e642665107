package group

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// How often the group looks by itself. What it is told in between makes it faster,
// and nothing depends on that.
const (
	brisk  = time.Second     // at what is under way
	steady = 5 * time.Second // at everything

	// briskFor is how long a member that is under way is looked at briskly: a delete
	// on a host that is down may wait for days.
	briskFor = 15 * time.Minute
)

// looks is when the next look is due. It lives in memory only: who is activated
// looks at once.
type looks struct{ next, all time.Time }

// wake is when the next look is due.
func wake(s State) time.Time {
	switch {
	case !s.exists():
		return time.Time{}
	case s.looks.next.IsZero():
		return time.Unix(0, 1) // now
	}
	return s.looks.next
}

// pause is the one until the next look.
func (s State) pause() time.Duration {
	if s.Deleting || s.rolling() && s.Desired > 0 {
		return brisk
	}
	alive := 0
	for _, m := range s.Members.All() {
		if m.Phase != Leaving {
			alive++
		}
		if m.Phase != InUse && !m.Lost {
			return brisk
		}
	}
	if alive != int(s.Desired) {
		return brisk
	}
	return steady
}

// look asks for the news: of all, or between two such looks of who is under way.
func look(s State, now time.Time) (State, []actors.Effect) {
	all := !now.Before(s.looks.all)
	if all {
		s.looks.all = now.Add(steady)
	}
	s.looks.next = now.Add(s.pause())
	var effects []actors.Effect
	var hosts, services []string
	for id, m := range s.Members.All() {
		waits := m.Phase != InUse && now.Sub(time.Unix(0, m.Since)) < briskFor
		if !m.Confirmed || !all && !waits {
			continue
		}
		effects = append(effects, askView(s, id))
		if m.Host != "" {
			hosts = append(hosts, m.Host)
		}
		if m.Phase == Leaving {
			continue
		}
		t, _ := s.Templates.Get(revisionKey(m.Revision))
		services = append(services, t.Services...)
	}
	effects = append(effects, askEach("host", hosts, &messages.GetHost{})...)
	effects = append(effects, askEach(service.Kind, services, &messages.GetService{})...)
	if t, _ := s.Templates.Get(revisionKey(s.Target)); all && s.Policy.RollOnConfig && !s.Deleting {
		effects = append(effects, askEach(config.Kind, t.Configs, &messages.GetConfigDigest{Project: s.ProjectID})...)
	}
	return s, effects
}

func askEach(kind string, ids []string, m actors.Message) []actors.Effect {
	slices.Sort(ids)
	var effects []actors.Effect
	for _, id := range slices.Compact(ids) {
		effects = append(effects, actors.Ask{To: actors.Ref{Kind: kind, ID: id}, Message: m})
	}
	return effects
}

// answered takes what came back of a question. What cannot be told now changes
// nothing: it is asked again.
func answered(s State, now time.Time, a *messages.Answered) State {
	kind, reply := a.GetReply().GetError(), proto.Message(nil)
	if kind == messages.ErrorKind_ERROR_KIND_NONE {
		var err error
		if reply, err = messages.Decode(a.GetReply().GetMethod(), a.GetReply().GetPayload()); err != nil {
			return s // of a newer version
		}
	}
	switch a.Kind {
	case "instance":
		return s.heardOfInstance(now, a, kind, reply)
	case "host":
		v, _ := reply.(*messages.HostView)
		return s.heardOfHost(now, a.Id, kind, v)
	case service.Kind:
		v, _ := reply.(*messages.Service)
		return s.heardOfService(a.Id, kind, v)
	case config.Kind:
		v, _ := reply.(*messages.ConfigDigest)
		return s.heardOfConfig(now, a.Id, v)
	}
	return s
}

func (s State) heardOfInstance(now time.Time, a *messages.Answered, kind messages.ErrorKind, reply proto.Message) State {
	m, ok := s.Members.Get(a.Id)
	if !ok {
		return s
	}
	v, _ := reply.(*messages.InstanceView)
	final := kind != messages.ErrorKind_ERROR_KIND_NONE && kind != messages.ErrorKind_ERROR_KIND_UNAVAILABLE && kind != messages.ErrorKind_ERROR_KIND_INTERNAL
	switch {
	case !m.Confirmed && a.Asked == askedCreate && v != nil:
		m.Confirmed = true
		m = m.in(max(m.Phase, Starting), now)
		s.Members = s.Members.Set(a.Id, m.seen(v))
	case !m.Confirmed && a.Asked == askedCreate && final:
		if s.Members = s.Members.Delete(a.Id); m.Phase == Leaving {
			return s
		}
		return s.failed(now, m, "could not be created: "+a.GetReply().GetMessage())
	case m.Confirmed && kind == messages.ErrorKind_ERROR_KIND_NOT_FOUND:
		s.Members = s.Members.Delete(a.Id)
		if m.Phase != Leaving {
			s = s.decided(now, "%s was deleted by somebody, and is replaced", m.Name)
		}
	case m.Confirmed && a.Asked == askedView && v != nil:
		s.Members = s.Members.Set(a.Id, m.seen(v))
	}
	return s
}

var (
	askedCreate = messages.NameOf(&messages.CreateInstance{})
	askedView   = messages.NameOf(&messages.GetInstance{})
)

// seen is the member as its instance shows itself.
func (m Member) seen(v *messages.InstanceView) Member {
	m.VM, m.Task, m.Fault = v.VmState, v.TaskState, v.Fault.GetMessage()
	if m.Host != v.Host {
		m.Host, m.DownSince = v.Host, 0
	}
	addresses := make([]string, 0, len(v.Ports))
	for _, p := range v.Ports {
		addresses = append(addresses, p.Address)
	}
	if !slices.Equal(m.Addresses, addresses) {
		m.Addresses = addresses
	}
	return m
}

// heardOfHost: a host that does not answer is one that nobody reaches.
func (s State) heardOfHost(now time.Time, host string, kind messages.ErrorKind, v *messages.HostView) State {
	var down bool
	switch kind {
	case messages.ErrorKind_ERROR_KIND_NONE:
		down = !v.GetFacts().GetUp() || v.GetFacts().GetForcedDown() || v.GetForcedDown()
	case messages.ErrorKind_ERROR_KIND_UNAVAILABLE, messages.ErrorKind_ERROR_KIND_NOT_FOUND:
		down = true
	default:
		return s
	}
	for id, m := range s.Members.All() {
		if m.Host != host || down == (m.DownSince != 0) {
			continue
		}
		switch m.DownSince = 0; {
		case down:
			m.DownSince = now.UnixNano()
		case m.Phase == Sick:
			m.Since = now.UnixNano() // what else may be wrong with it gets its own time
		}
		s.Members = s.Members.Set(id, m)
	}
	return s
}

// heardOfService: a member is well there if an endpoint of its own is.
func (s State) heardOfService(id string, kind messages.ErrorKind, v *messages.Service) State {
	if kind != messages.ErrorKind_ERROR_KIND_NOT_FOUND && v == nil {
		return s
	}
	for instance, m := range s.Members.All() {
		t, _ := s.Templates.Get(revisionKey(m.Revision))
		if !slices.Contains(t.Services, id) || m.Phase == Leaving {
			continue
		}
		well, was := serves(v, instance, m.Addresses), !slices.Contains(m.Unwell, id)
		if well == was {
			continue
		}
		unwell := slices.DeleteFunc(slices.Clone(m.Unwell), func(u string) bool { return u == id })
		if !well {
			unwell = append(unwell, id)
			slices.Sort(unwell)
		}
		m.Unwell = unwell
		s.Members = s.Members.Set(instance, m)
	}
	return s
}

// serves says whether the service has healthy endpoints of the instance, and no
// other: those that it announced, else those at its addresses.
func serves(v *messages.Service, instance string, addresses []string) bool {
	announced, guest := all{}, all{}
	for _, e := range v.GetEndpoints() {
		switch {
		case e.Owner == "instance/"+instance:
			announced.add(e)
		case slices.Contains(addresses, e.Ip):
			guest.add(e)
		}
	}
	if announced.some {
		return !announced.sick
	}
	return guest.some && !guest.sick
}

// all says of endpoints whether there are some, and whether one is sick.
type all struct{ some, sick bool }

func (a *all) add(e *messages.Endpoint) {
	a.some = true
	a.sick = a.sick || !e.Healthy || !e.Enabled
}

// failed notes a member that never came into use. A roll stops over one of its
// target: what all members would become does not work.
func (s State) failed(now time.Time, m Member, why string) State {
	s.Reason = fmt.Sprintf("%s %s", m.Name, why)
	s.Failures++
	s.RetryAt = now.Add(min(firstRetry<<min(s.Failures-1, 10), lastRetry)).UnixNano()
	if s.Roll != nil && s.Roll.Stopped == "" && m.Revision == s.Target {
		s.Roll = &Roll{Stopped: s.Reason}
		return s.decided(now, "the roll to revision %d stops: %s", s.Target, s.Reason)
	}
	return s.decided(now, "%s", s.Reason)
}
