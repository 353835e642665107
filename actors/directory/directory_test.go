package directory

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// grain runs the kind as the shell does, with what it commits kept as rows.
type grain struct {
	t     *testing.T
	kind  actors.Kind
	state actors.State
	rows  map[string][]byte
	now   time.Time
}

func newGrain(t *testing.T) *grain {
	g := &grain{t: t, kind: Kind(), rows: map[string][]byte{}, now: time.Unix(1_700_000_000, 0)}
	g.open(nil)
	return g
}

func (g *grain) open(record *messages.Record) {
	var err error
	if g.state, err = g.kind.Open(record, g.rows); err != nil {
		g.t.Fatal(err)
	}
}

func (g *grain) ask(m proto.Message) (proto.Message, error) {
	before := proto.Clone(m)
	turn, err := g.kind.Step(g.state, actors.Input{ID: MainID, Now: g.now, Message: m})
	if !proto.Equal(before, m) {
		g.t.Fatalf("%T was changed", m)
	}
	if err != nil {
		return nil, err
	}
	g.state = turn.State
	for _, w := range turn.Writes {
		row := strings.TrimPrefix(w.Key, actors.RowPrefix(Ref))
		if w.Value == nil {
			delete(g.rows, row)
		} else {
			g.rows[row] = w.Value
		}
	}
	for _, e := range turn.Effects {
		if r, ok := e.(actors.Reply); ok {
			return r.Message, nil
		}
	}
	return &messages.Done{}, nil
}

func (g *grain) must(m proto.Message) proto.Message {
	g.t.Helper()
	got, err := g.ask(m)
	if err != nil {
		g.t.Fatalf("%T: %v", m, err)
	}
	return got
}

// restart opens the grain anew from what was committed.
func (g *grain) restart() {
	g.open(&messages.Record{State: g.state.Encoded()})
}

func boot() *messages.BootstrapDirectory {
	return &messages.BootstrapDirectory{UserId: "u0", UserName: "admin", PasswordHash: "hash", ProjectId: "p0", ProjectName: "admin",
		Roles: []*messages.Role{{Id: "ra", Name: Admin}, {Id: "rm", Name: Member}, {Id: "rr", Name: Reader}}}
}

// peopled is a directory with a user ann (member on p1) besides the admin.
func peopled(t *testing.T) *grain {
	g := newGrain(t)
	g.must(boot())
	g.must(&messages.CreateProject{Project: &messages.IdentityProject{Id: "p1", Name: "lab", DomainId: "default", Enabled: true}})
	g.must(&messages.CreateUser{User: &messages.User{Id: "u1", Name: "ann", DomainId: "default", Enabled: true, PasswordHash: "h1"}})
	g.must(&messages.GrantRole{Grant: &messages.Grant{UserId: "u1", RoleId: "rm", ProjectId: "p1"}})
	return g
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", MaxNameBytes+1)
	for name, tt := range map[string]struct {
		m    proto.Message
		want error
	}{
		"project name taken": {&messages.CreateProject{Project: &messages.IdentityProject{Id: "p2", Name: "lab", DomainId: "default"}}, messages.Conflict},
		"project id taken":   {&messages.CreateProject{Project: &messages.IdentityProject{Id: "p1", Name: "b", DomainId: "default"}}, messages.Conflict},
		"project again":      {&messages.CreateProject{Project: &messages.IdentityProject{Id: "p1", Name: "lab", DomainId: "default"}}, nil},
		"project unnamed":    {&messages.CreateProject{Project: &messages.IdentityProject{Id: "p2", DomainId: "default"}}, messages.Invalid},
		"project long name":  {&messages.CreateProject{Project: &messages.IdentityProject{Id: "p2", Name: long, DomainId: "default"}}, messages.Invalid},
		"project nested":     {&messages.CreateProject{Project: &messages.IdentityProject{Id: "p2", Name: "b", DomainId: "default", ParentId: "p1"}}, messages.Invalid},
		"project tag":        {&messages.CreateProject{Project: &messages.IdentityProject{Id: "p2", Name: "b", DomainId: "default", Tags: []string{"a/b"}}}, messages.Invalid},
		"domain unknown":     {&messages.CreateUser{User: &messages.User{Id: "u2", Name: "b", DomainId: "nowhere"}}, messages.NotFound},
		"user name taken":    {&messages.CreateUser{User: &messages.User{Id: "u2", Name: "ann", DomainId: "default"}}, messages.Conflict},
		"user renamed onto":  {&messages.UpdateUser{Id: "u1", Name: proto.String("admin")}, messages.Conflict},
		"user renamed":       {&messages.UpdateUser{Id: "u1", Name: proto.String("anna")}, nil},
		"user unknown":       {&messages.UpdateUser{Id: "u9"}, messages.NotFound},
		"id with a slash":    {&messages.CreateUser{User: &messages.User{Id: "a/b", Name: "b", DomainId: "default"}}, messages.Invalid},
		"role built in":      {&messages.DeleteRole{Id: "ra"}, messages.Denied},
		"role built in name": {&messages.UpdateRole{Id: "ra", Name: proto.String("x")}, messages.Denied},
		"grant twice":        {&messages.GrantRole{Grant: &messages.Grant{UserId: "u1", RoleId: "rm", ProjectId: "p1"}}, nil},
		"grant on nothing":   {&messages.GrantRole{Grant: &messages.Grant{UserId: "u1", RoleId: "rm"}}, messages.Invalid},
		"grant on both":      {&messages.GrantRole{Grant: &messages.Grant{UserId: "u1", RoleId: "rm", ProjectId: "p1", DomainId: "default"}}, messages.Invalid},
		"grant to nobody":    {&messages.GrantRole{Grant: &messages.Grant{UserId: "u9", RoleId: "rm", ProjectId: "p1"}}, messages.NotFound},
		"withdraw nothing":   {&messages.WithdrawRole{Grant: &messages.Grant{UserId: "u1", RoleId: "ra", ProjectId: "p1"}}, messages.NotFound},
		"default domain":     {&messages.DeleteDomain{Id: "default"}, messages.Denied},
		"credential beyond":  {&messages.CreateApplicationCredential{Credential: &messages.ApplicationCredential{Id: "c", Name: "c", UserId: "u1", ProjectId: "p1", RoleIds: []string{"ra"}}}, messages.Invalid},
		"credential elsewhere": {&messages.CreateApplicationCredential{Credential: &messages.ApplicationCredential{Id: "c", Name: "c", UserId: "u1", ProjectId: "p0"}},
			messages.Denied},
		"credential implied": {&messages.CreateApplicationCredential{Credential: &messages.ApplicationCredential{Id: "c", Name: "c", UserId: "u1", ProjectId: "p1", RoleIds: []string{"rr"}}}, nil},
		"credential expired": {&messages.CreateApplicationCredential{Credential: &messages.ApplicationCredential{Id: "c", Name: "c", UserId: "u1", ProjectId: "p1", ExpiresAt: 1}}, messages.Invalid},
		"revoke nothing":     {&messages.RevokeTokens{}, messages.Invalid},
		"another's message":  {&messages.GetHost{}, messages.Invalid},
		"huge description":   {&messages.UpdateProject{Id: "p1", Description: proto.String(strings.Repeat("x", MaxDescriptionBytes+1))}, messages.Invalid},
	} {
		if _, err := peopled(t).ask(tt.m); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestBootstrapOnce(t *testing.T) {
	g := newGrain(t)
	if _, err := g.ask(&messages.GetBootstrap{}); !errors.Is(err, messages.NotFound) {
		t.Fatal(err)
	}
	g.must(boot())
	again := boot()
	again.UserId = "other"
	if v := g.must(again).(*messages.BootstrapView); v.UserId != "u0" {
		t.Errorf("the second bootstrap won: %v", v)
	}
	g.restart()
	v := g.must(&messages.GetAccess{UserId: "u0", DefaultScope: true}).(*messages.AccessView)
	if v.Project.GetId() != "p0" || roleNames(v) != "admin,member,reader" {
		t.Errorf("%v", v)
	}
}

func roleNames(v *messages.AccessView) string {
	var names []string
	for _, r := range v.Roles {
		names = append(names, r.Name)
	}
	return strings.Join(sorted(names), ",")
}

func TestAccess(t *testing.T) {
	onLab := &messages.GetAccess{UserId: "u1", Scope: &messages.ScopeRef{ProjectName: "lab", DomainName: "Default"}, AuditId: "a1", KeyId: "k1", IssuedAt: time.Unix(1_700_000_000, 0).UnixNano()}
	cred := &messages.CreateApplicationCredential{Credential: &messages.ApplicationCredential{Id: "c1", Name: "c", UserId: "u1", ProjectId: "p1", RoleIds: []string{"rr"}}}
	byCred := &messages.GetAccess{UserId: "u1", CredentialId: "c1"}
	no := proto.Bool(false)
	for name, tt := range map[string]struct {
		before []proto.Message
		ask    *messages.GetAccess
		roles  string // "": denied
	}{
		"by name":                      {nil, onLab, "member,reader"},
		"no role there":                {nil, &messages.GetAccess{UserId: "u1", Scope: &messages.ScopeRef{ProjectId: "p0"}}, ""},
		"no such project":              {nil, &messages.GetAccess{UserId: "u1", Scope: &messages.ScopeRef{ProjectId: "p9"}}, ""},
		"domain":                       {nil, &messages.GetAccess{UserId: "u0", Scope: &messages.ScopeRef{DomainId: "default"}}, "admin,member,reader"},
		"role withdrawn":               {[]proto.Message{&messages.WithdrawRole{Grant: &messages.Grant{UserId: "u1", RoleId: "rm", ProjectId: "p1"}}}, onLab, ""},
		"user disabled":                {[]proto.Message{&messages.UpdateUser{Id: "u1", Enabled: no}}, onLab, ""},
		"user deleted":                 {[]proto.Message{&messages.DeleteUser{Id: "u1"}}, onLab, ""},
		"project disabled":             {[]proto.Message{&messages.UpdateProject{Id: "p1", Enabled: no}}, onLab, ""},
		"project deleted":              {[]proto.Message{&messages.DeleteProject{Id: "p1"}}, onLab, ""},
		"domain disabled":              {[]proto.Message{&messages.UpdateDomain{Id: "default", Enabled: no}}, onLab, ""},
		"token revoked":                {[]proto.Message{&messages.RevokeTokens{AuditId: "a1"}}, onLab, ""},
		"another revoked":              {[]proto.Message{&messages.RevokeTokens{AuditId: "a2"}}, onLab, "member,reader"},
		"key revoked":                  {[]proto.Message{&messages.RevokeTokens{KeyId: "k1"}}, onLab, ""},
		"password changed":             {[]proto.Message{&messages.UpdateUser{Id: "u1", PasswordHash: proto.String("h2")}}, onLab, ""},
		"credential":                   {[]proto.Message{cred}, byCred, "reader"},
		"credential gone":              {[]proto.Message{cred, &messages.DeleteApplicationCredential{UserId: "u1", Id: "c1"}}, byCred, ""},
		"credential's role":            {[]proto.Message{cred, &messages.WithdrawRole{Grant: &messages.Grant{UserId: "u1", RoleId: "rm", ProjectId: "p1"}}}, byCred, ""},
		"credential stolen":            {[]proto.Message{cred}, &messages.GetAccess{UserId: "u0", CredentialId: "c1"}, ""},
		"credential of a deleted user": {[]proto.Message{cred, &messages.DeleteUser{Id: "u1"}}, byCred, ""},
	} {
		g := peopled(t)
		for _, m := range tt.before {
			g.must(m)
		}
		g.restart()
		got, err := g.ask(tt.ask)
		switch {
		case tt.roles == "" && !errors.Is(err, messages.Denied):
			t.Errorf("%s: %v, %v", name, got, err)
		case tt.roles != "" && (err != nil || roleNames(got.(*messages.AccessView)) != tt.roles):
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestLockout(t *testing.T) {
	g := peopled(t)
	login := &messages.GetLogin{User: &messages.UserRef{Name: "ann", DomainId: "default"}}
	for range MaxFailures - 1 {
		g.must(&messages.RecordLogin{UserId: "u1"})
	}
	if v := g.must(login).(*messages.LoginView); v.User.PasswordHash != "h1" {
		t.Errorf("%v", v)
	}
	g.must(&messages.RecordLogin{UserId: "u1"})
	g.restart()
	if _, err := g.ask(login); !errors.Is(err, messages.Denied) {
		t.Errorf("after %d failures: %v", MaxFailures, err)
	}
	if _, err := g.ask(&messages.RecordLogin{UserId: "u1", Success: true}); !errors.Is(err, messages.Denied) {
		t.Errorf("a right guess beside wrong ones: %v", err)
	}
	g.now = g.now.Add(lockout)
	g.must(login)
	for range MaxFailures - 1 { // a new count, and an old window
		g.must(&messages.RecordLogin{UserId: "u1"})
	}
	g.now = g.now.Add(failureWindow + 1)
	g.must(&messages.RecordLogin{UserId: "u1"})
	g.must(login)
	g.must(&messages.RecordLogin{UserId: "u1", Success: true})
	if n := len(g.rowsOf("failures")); n != 0 {
		t.Errorf("a success left %d rows", n)
	}
}

func (g *grain) rowsOf(table string) (keys []string) {
	for k := range g.rows {
		if strings.HasPrefix(k, table+"/") {
			keys = append(keys, k)
		}
	}
	return keys
}

func TestPurge(t *testing.T) {
	g := peopled(t)
	for i := range 5 {
		g.must(&messages.RevokeTokens{AuditId: fmt.Sprint(i), ExpiresAt: g.now.Add(time.Minute).UnixNano()})
	}
	g.now = g.now.Add(purgeEvery)
	g.must(&messages.RevokeTokens{AuditId: "last"})
	if n := len(g.rowsOf("revoked")); n != 1 {
		t.Errorf("%d revocations are left", n)
	}
}

func TestDeletionLeavesNothing(t *testing.T) {
	g := peopled(t)
	before := len(g.rows)
	g.must(&messages.CreateProject{Project: &messages.IdentityProject{Id: "p2", Name: "x y/z", DomainId: "default", Enabled: true}})
	g.must(&messages.CreateUser{User: &messages.User{Id: "u2", Name: "bob", DomainId: "default", Enabled: true}})
	g.must(&messages.GrantRole{Grant: &messages.Grant{UserId: "u2", RoleId: "rm", ProjectId: "p2"}})
	g.must(&messages.CreateApplicationCredential{Credential: &messages.ApplicationCredential{Id: "c", Name: "c", UserId: "u2", ProjectId: "p2"}})
	g.must(&messages.RecordLogin{UserId: "u2"})
	g.restart()
	g.must(&messages.DeleteProject{Id: "p2"})
	g.must(&messages.DeleteUser{Id: "u2"})
	if len(g.rows) != before {
		t.Errorf("%d rows before, %d after: %v", before, len(g.rows), g.rows)
	}
}

func TestLists(t *testing.T) {
	g := peopled(t)
	for i := range 5 {
		id := fmt.Sprintf("q%d", i)
		g.must(&messages.CreateProject{Project: &messages.IdentityProject{Id: id, Name: id, DomainId: "default", Enabled: i != 3}})
	}
	v := g.must(&messages.GetProjects{After: "q0", Limit: 2}).(*messages.IdentityProjectsView)
	if len(v.Projects) != 2 || v.Projects[0].Id != "q1" || !v.More {
		t.Errorf("%v", v)
	}
	v = g.must(&messages.GetProjects{UserId: "u1"}).(*messages.IdentityProjectsView)
	if len(v.Projects) != 1 || v.Projects[0].Id != "p1" || v.More {
		t.Errorf("%v", v)
	}
	users := g.must(&messages.GetUsers{}).(*messages.UsersView)
	if len(users.Users) != 2 || users.Users[0].PasswordHash != "" {
		t.Errorf("%v", users)
	}
	grants := g.must(&messages.GetGrants{UserId: "u1", Names: true, Effective: true}).(*messages.GrantsView)
	if len(grants.Grants) != 2 || grants.Users["u1"].GetName() != "ann" || grants.Users["u1"].PasswordHash != "" || grants.Projects["p1"].GetName() != "lab" {
		t.Errorf("%v", grants)
	}
}
