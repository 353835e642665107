package directory

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func createDomain(s State, in actors.Input, m *messages.CreateDomain) (State, proto.Message, error) {
	d := m.GetDomain()
	if was, ok := s.Domains.Get(d.GetId()); ok && was.Name == d.Name {
		return s, proto.CloneOf(was), nil // a retry
	} else if ok {
		return s, nil, fmt.Errorf("there is already a domain %s: %w", d.Id, messages.Conflict)
	}
	err := first(checkID("domain", d.GetId()), checkName("domain", d.GetName()), checkText("the description", d.GetDescription()),
		checkExtra(d.GetExtra()), room("domains", s.Domains.Len(), MaxDomains))
	if err != nil {
		return s, nil, err
	}
	after, err := s.claim(ofDomain, "", d.Name, d.Id)
	if err != nil {
		return s, nil, err
	}
	d = proto.CloneOf(d)
	d.CreatedAt = in.Now.UnixNano()
	after.Domains = after.Domains.Set(d.Id, d)
	return after, proto.CloneOf(d), nil
}

func updateDomain(s State, m *messages.UpdateDomain) (State, proto.Message, error) {
	was, ok := s.Domains.Get(m.Id)
	if !ok {
		return s, nil, absent("domain", m.Id)
	}
	d := proto.CloneOf(was)
	set(&d.Name, m.Name)
	set(&d.Description, m.Description)
	set(&d.Enabled, m.Enabled)
	d.Extra = merged(d.Extra, m.Extra)
	if err := first(checkText("the description", d.Description), checkExtra(d.Extra)); err != nil {
		return s, nil, err
	}
	after, err := s.rename(ofDomain, "", was.Name, d.Name, d.Id)
	if err != nil {
		return s, nil, err
	}
	after.Domains = after.Domains.Set(d.Id, d)
	return after, proto.CloneOf(d), nil
}

func deleteDomain(s State, m *messages.DeleteDomain) (State, proto.Message, error) {
	d, ok := s.Domains.Get(m.Id)
	switch {
	case !ok:
		return s, nil, absent("domain", m.Id)
	case d.Id == DefaultDomainID:
		return s, nil, fmt.Errorf("the default domain cannot be deleted: %w", messages.Denied)
	case d.Enabled:
		return s, nil, fmt.Errorf("an enabled domain cannot be deleted: disable it first: %w", messages.Denied)
	}
	for _, p := range s.Projects.All() {
		if p.DomainId == d.Id {
			return s, nil, fmt.Errorf("domain %s still has projects: %w", d.Id, messages.Conflict)
		}
	}
	for _, u := range s.Users.All() {
		if u.DomainId == d.Id {
			return s, nil, fmt.Errorf("domain %s still has users: %w", d.Id, messages.Conflict)
		}
	}
	s = s.withdraw(func(g *messages.Grant) bool { return g.DomainId == d.Id })
	s.Domains = s.Domains.Delete(d.Id)
	s.Names = s.Names.Delete(nameKey(ofDomain, "", d.Name))
	return s, nil, nil
}

func getDomains(s State, m *messages.GetDomains) *messages.DomainsView {
	v := &messages.DomainsView{}
	v.Domains, v.More = list(s.Domains, m.After, m.Limit, func(d *messages.Domain) bool {
		return is(m.Id, d.Id) && is(m.Name, d.Name) && same(m.Enabled, d.Enabled)
	})
	return v
}
