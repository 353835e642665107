package directory

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func createProject(s State, in actors.Input, m *messages.CreateProject) (State, proto.Message, error) {
	p := m.GetProject()
	if was, ok := s.Projects.Get(p.GetId()); ok && was.Name == p.Name {
		return s, proto.CloneOf(was), nil // a retry
	} else if ok {
		return s, nil, fmt.Errorf("there is already a project %s: %w", p.Id, messages.Conflict)
	}
	err := first(checkID("project", p.GetId()), checkName("project", p.GetName()), checkText("the description", p.GetDescription()),
		checkTags(p.GetTags()), checkExtra(p.GetExtra()), s.hasDomain(p.GetDomainId()), room("projects", s.Projects.Len(), MaxProjects))
	if err == nil && p.ParentId != "" && p.ParentId != p.DomainId {
		err = fmt.Errorf("the parent of a project can only be its domain: projects are not nested: %w", messages.Invalid)
	}
	if err != nil {
		return s, nil, err
	}
	after, err := s.claim(ofProject, p.DomainId, p.Name, p.Id)
	if err != nil {
		return s, nil, err
	}
	p = proto.CloneOf(p)
	p.ParentId, p.CreatedAt, p.Tags = p.DomainId, in.Now.UnixNano(), sorted(p.Tags)
	after.Projects = after.Projects.Set(p.Id, p)
	return after, proto.CloneOf(p), nil
}

// hasDomain refuses a domain that does not exist.
func (s State) hasDomain(id string) error {
	if _, ok := s.Domains.Get(id); !ok {
		return absent("domain", id)
	}
	return nil
}

func sorted(tags []string) []string { return slices.Compact(slices.Sorted(slices.Values(tags))) }

func updateProject(s State, m *messages.UpdateProject) (State, proto.Message, error) {
	was, ok := s.Projects.Get(m.Id)
	if !ok {
		return s, nil, absent("project", m.Id)
	}
	p := proto.CloneOf(was)
	set(&p.Name, m.Name)
	set(&p.Description, m.Description)
	set(&p.Enabled, m.Enabled)
	if m.ReplaceTags {
		p.Tags = sorted(m.Tags)
	}
	p.Extra = merged(p.Extra, m.Extra)
	if err := first(checkText("the description", p.Description), checkTags(p.Tags), checkExtra(p.Extra)); err != nil {
		return s, nil, err
	}
	after, err := s.rename(ofProject, p.DomainId, was.Name, p.Name, p.Id)
	if err != nil {
		return s, nil, err
	}
	after.Projects = after.Projects.Set(p.Id, p)
	return after, proto.CloneOf(p), nil
}

// deleteProject takes the rights on the project with it. What the project owns
// in other services is theirs to refuse or remove.
func deleteProject(s State, m *messages.DeleteProject) (State, proto.Message, error) {
	p, ok := s.Projects.Get(m.Id)
	if !ok {
		return s, nil, absent("project", m.Id)
	}
	s = s.withdraw(func(g *messages.Grant) bool { return g.ProjectId == p.Id })
	s = s.dropCredentials(func(c *messages.ApplicationCredential) bool { return c.ProjectId == p.Id })
	s.Projects = s.Projects.Delete(p.Id)
	s.Names = s.Names.Delete(nameKey(ofProject, p.DomainId, p.Name))
	return s, nil, nil
}

func getProjects(s State, m *messages.GetProjects) *messages.IdentityProjectsView {
	var granted map[string]bool
	if m.UserId != "" {
		granted = map[string]bool{}
		grants, _ := s.Grants.Get(m.UserId)
		for _, g := range grants {
			granted[g.ProjectId] = true
		}
	}
	v := &messages.IdentityProjectsView{}
	v.Projects, v.More = list(s.Projects, m.After, m.Limit, func(p *messages.IdentityProject) bool {
		return is(m.Id, p.Id) && is(m.Name, p.Name) && is(m.DomainId, p.DomainId) && same(m.Enabled, p.Enabled) &&
			(granted == nil || granted[p.Id])
	})
	return v
}
