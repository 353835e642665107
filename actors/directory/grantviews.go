package directory

import (
	"cmp"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

func compareGrants(a, b *messages.Grant) int {
	return cmp.Or(cmp.Compare(a.UserId, b.UserId), cmp.Compare(a.ProjectId, b.ProjectId),
		cmp.Compare(a.DomainId, b.DomainId), cmp.Compare(a.RoleId, b.RoleId))
}

// effective is grants and those that they imply, each once.
func (s State) effective(grants []*messages.Grant) []*messages.Grant {
	var all []*messages.Grant
	for _, g := range grants {
		for _, role := range s.withImplied([]string{g.RoleId}) {
			h := proto.CloneOf(g)
			h.RoleId = role
			if findGrant(all, h) < 0 {
				all = append(all, h)
			}
		}
	}
	return all
}

// name fills the maps of v with what its grants speak of.
func (s State) name(v *messages.GrantsView) {
	v.Users, v.Roles = map[string]*messages.User{}, map[string]*messages.Role{}
	v.Projects, v.Domains = map[string]*messages.IdentityProject{}, map[string]*messages.Domain{}
	domain := func(id string) {
		if d, ok := s.Domains.Get(id); ok && v.Domains[id] == nil {
			v.Domains[id] = proto.CloneOf(d)
		}
	}
	for _, g := range v.Grants {
		if u, ok := s.Users.Get(g.UserId); ok && v.Users[u.Id] == nil {
			v.Users[u.Id] = shown(u)
			domain(u.DomainId)
		}
		if r, ok := s.Roles.Get(g.RoleId); ok && v.Roles[r.Id] == nil {
			v.Roles[r.Id] = proto.CloneOf(r)
		}
		if p, ok := s.Projects.Get(g.ProjectId); ok && v.Projects[p.Id] == nil {
			v.Projects[p.Id] = proto.CloneOf(p)
			domain(p.DomainId)
		}
		domain(g.DomainId)
	}
}
