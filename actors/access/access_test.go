package access

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

func TestMatches(t *testing.T) { // table: one row, one pattern and what is asked for
	key := Resource{"public", "g", Config, "a.yaml"}
	for name, tt := range map[string]struct {
		pattern string
		what    Resource
		want    bool
	}{
		"itself":                         {"public:g:config/a.yaml", key, true},
		"another name":                   {"public:g:config/b.yaml", key, false},
		"another group":                  {"public:h:config/a.yaml", key, false},
		"another namespace":              {"dev:g:config/a.yaml", key, false},
		"another type":                   {"public:g:naming/a.yaml", key, false},
		"the empty namespace":            {":g:config/a.yaml", key, true},
		"asked of the empty namespace":   {"public:g:config/a.yaml", Resource{"", "g", Config, "a.yaml"}, true},
		"every name":                     {"public:g:config/*", key, true},
		"every type and name":            {"public:g:*", key, true},
		"every group":                    {"public:*:config/a.yaml", key, true},
		"every namespace":                {"*:g:config/a.yaml", key, true},
		"all of a namespace":             {"public:*:*", key, true},
		"all of a namespace, short":      {"public:*", key, true},
		"all of another namespace":       {"dev:*:*", key, false},
		"everything":                     {"*:*:*", key, true},
		"everything, short":              {"*", key, true},
		"a prefix":                       {"public:g:config/a*", key, true},
		"a suffix":                       {"public:g:config/*.yaml", key, true},
		"a middle":                       {"public:g:config/a*l", key, true},
		"another prefix":                 {"public:g:config/b*", key, false},
		"a type's prefix":                {"public:g:con*", key, true},
		"a prefix of namespaces":         {"pub*:*:*", key, true},
		"other namespaces":               {"dev*:*:*", key, false},
		"an asterisk for nothing":        {"public:g:config/a.yaml*", key, true},
		"a namespace only":               {"public", key, false},
		"a namespace and a group":        {"public:g", key, false},
		"nothing":                        {"", key, false},
		"no regular expression":          {"public:g:config/a.y.ml", Resource{"public", "g", Config, "axyzml"}, false},
		"a dot is a dot":                 {"public:g:config/a.yaml", Resource{"public", "g", Config, "axyaml"}, false},
		"a group with a colon":           {"public:a:b:config/x", Resource{"public", "a:b", Config, "x"}, true},
		"not its half":                   {"public:a:config/x", Resource{"public", "a:b", Config, "x"}, false},
		"a name with a colon":            {"public:a:config/b:c", Resource{"public", "a", Config, "b:c"}, true},
		"a name like a resource":         {"public:a:config/*", Resource{"public", "b", Config, "x:a:config/y"}, false},
		"an asterisk stays in its part":  {"public:a*:config/x", Resource{"public", "b", Config, "a:config/x"}, false},
		"a list needs all names":         {"public:g:config/a*", Resource{"public", "g", Config, ""}, false},
		"a list by who may have all":     {"public:g:config/*", Resource{"public", "g", Config, ""}, true},
		"a list of groups needs all":     {"public:g:*", Resource{"public", "", Config, ""}, false},
		"a list of groups, of who may":   {"public:*:*", Resource{"public", "", Config, ""}, true},
		"a name that is an asterisk":     {"public:g:config/a", Resource{"public", "g", Config, "*"}, false},
		"a service with a slash":         {"public:g:naming/a/b", Resource{"public", "g", Naming, "a/b"}, true},
		"many asterisks, and not at all": {"public:g:config/" + strings.Repeat("*a", 30), Resource{"public", "g", Config, strings.Repeat("a", 29)}, false},
	} {
		if got := Matches(tt.pattern, tt.what); got != tt.want {
			t.Errorf("%s: %q is about %v: %v", name, tt.pattern, tt.what, got)
		}
	}
}

func TestAllows(t *testing.T) { // table: one row, what is granted for all, and what is wanted
	for name, tt := range map[string]struct {
		granted []string
		want    string
		ok      bool
	}{
		"reading may read":            {[]string{"r"}, "r", true},
		"reading may not write":       {[]string{"r"}, "w", false},
		"writing may not read":        {[]string{"w"}, "r", false},
		"both may read":               {[]string{"rw"}, "r", true},
		"both may write":              {[]string{"rw"}, "w", true},
		"both may both":               {[]string{"rw"}, "rw", true},
		"one of each is not one both": {[]string{"r", "w"}, "rw", false},
		"nothing may nothing":         {nil, "r", false},
		"an action nobody knows":      {[]string{"rw"}, "x", false},
		"no action":                   {[]string{"rw"}, "", false},
	} {
		var granted []*messages.RegistryPermission
		for _, action := range tt.granted {
			granted = append(granted, &messages.RegistryPermission{Role: "x", Resource: "public:*:*", Action: action})
		}
		if got := Allows(granted, Resource{"public", "g", Config, "a"}, tt.want); got != tt.ok {
			t.Errorf("%s: %v", name, got)
		}
		if Allows(granted, Resource{"dev", "g", Config, "a"}, tt.want) {
			t.Errorf("%s: also in another namespace", name)
		}
	}
}

func drive(t *testing.T, ms ...proto.Message) (s State, answer proto.Message, err error) {
	t.Helper()
	k := Spec()
	st, err := k.Open(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		turn, err := k.Step(st, actors.Input{ID: MainID, Now: time.Unix(7, 0), Message: m})
		if err != nil {
			return s, nil, err
		}
		st, answer = turn.State, nil
		for _, e := range turn.Effects {
			answer = e.(actors.Reply).Message
		}
	}
	return st.Value().(State), answer, nil
}

func assigned(role, user string) proto.Message {
	return &messages.AssignRegistryRole{Role: role, User: user}
}

func granted(role, resource, action string) proto.Message {
	return &messages.AddRegistryPermission{Permission: &messages.RegistryPermission{Role: role, Resource: resource, Action: action}}
}

func TestAccess(t *testing.T) { // table: one row, what was done, and what is shown of user u
	var rolesOfU, permissionsOfR []proto.Message
	for i := range MaxRolesPerUser {
		rolesOfU = append(rolesOfU, assigned(fmt.Sprint("r", i), "u"))
	}
	for i := range MaxPermissionsPerRole {
		permissionsOfR = append(permissionsOfR, granted("r", fmt.Sprintf("n%d:*", i), "r"))
	}
	for name, tt := range map[string]struct {
		done []proto.Message
		want error
		show string
	}{
		"nothing":                     {nil, nil, ""},
		"a role":                      {[]proto.Message{assigned("r", "u")}, nil, "u is r"},
		"a role twice":                {[]proto.Message{assigned("r", "u"), assigned("r", "u")}, nil, "u is r"},
		"a role's permissions":        {[]proto.Message{assigned("r", "u"), granted("r", "*", "r"), granted("s", "*", "w")}, nil, "u is r; r may r *"},
		"in order":                    {[]proto.Message{assigned("s", "u"), assigned("r", "u"), granted("r", "x:*", "w"), granted("r", "x:*", "r")}, nil, "u is r; u is s; r may r x:*; r may w x:*"},
		"others' are not shown":       {[]proto.Message{assigned("r", "v"), granted("r", "*", "r")}, nil, ""},
		"withdrawn":                   {[]proto.Message{assigned("r", "u"), &messages.WithdrawRegistryRole{Role: "r", User: "u"}, granted("r", "*", "r")}, nil, ""},
		"withdrawn what is not there": {[]proto.Message{&messages.WithdrawRegistryRole{Role: "r", User: "u"}}, nil, ""},
		"withdrawn from everybody":    {[]proto.Message{assigned("r", "u"), assigned("r", "v"), granted("r", "*", "r"), &messages.WithdrawRegistryRole{Role: "r"}, assigned("r", "u")}, nil, "u is r"},
		"taken back": {[]proto.Message{assigned("r", "u"), granted("r", "*", "r"),
			&messages.RemoveRegistryPermission{Permission: &messages.RegistryPermission{Role: "r", Resource: "*", Action: "r"}}}, nil, "u is r"},
		"taken back another": {[]proto.Message{assigned("r", "u"), granted("r", "*", "r"),
			&messages.RemoveRegistryPermission{Permission: &messages.RegistryPermission{Role: "r", Resource: "*", Action: "w"}}}, nil, "u is r; r may r *"},
		"a permission twice":        {[]proto.Message{granted("r", "*", "r"), granted("r", "*", "r")}, messages.Conflict, ""},
		"no role":                   {[]proto.Message{assigned("", "u")}, messages.Invalid, ""},
		"no user":                   {[]proto.Message{assigned("r", "")}, messages.Invalid, ""},
		"a role too long":           {[]proto.Message{assigned(strings.Repeat("r", MaxRoleBytes+1), "u")}, messages.Invalid, ""},
		"a role with a blank":       {[]proto.Message{assigned("a b", "u")}, messages.Invalid, ""},
		"a user too long":           {[]proto.Message{assigned("r", strings.Repeat("u", MaxUserBytes+1))}, messages.Invalid, ""},
		"a resource that is none":   {[]proto.Message{granted("r", "public", "r")}, messages.Invalid, ""},
		"a resource too long":       {[]proto.Message{granted("r", strings.Repeat("x", MaxResourceBytes)+":*", "r")}, messages.Invalid, ""},
		"an action that is none":    {[]proto.Message{granted("r", "*", "x")}, messages.Invalid, ""},
		"no permission":             {[]proto.Message{&messages.AddRegistryPermission{}}, messages.Invalid, ""},
		"too many roles":            {append(rolesOfU, assigned("x", "u")), messages.Exhausted, ""},
		"too many permissions":      {append(permissionsOfR, granted("r", "*", "r")), messages.Exhausted, ""},
		"a message of another kind": {[]proto.Message{&messages.GetHost{}}, messages.Invalid, ""},
	} {
		s, answer, err := drive(t, append(tt.done, &messages.GetRegistryAccess{User: "u"})...)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
		if err != nil {
			continue
		}
		if got := shown(answer); got != tt.show {
			t.Errorf("%s: got %q, want %q", name, got, tt.show)
		}
		if s.Assigned < 0 || s.Granted < 0 || s.Users.Len() > s.Assigned || s.Roles.Len() > s.Granted {
			t.Errorf("%s: counted %d and %d", name, s.Assigned, s.Granted)
		}
	}
}

func shown(m proto.Message) string {
	a := m.(*messages.RegistryAccess)
	var lines []string
	for _, r := range a.Roles {
		lines = append(lines, r.User+" is "+r.Role)
	}
	for _, p := range a.Permissions {
		lines = append(lines, p.Role+" may "+p.Action+" "+p.Resource)
	}
	return strings.Join(lines, "; ")
}

func TestListsOfAccess(t *testing.T) { // table: one row, one question
	all := []proto.Message{assigned("r", "v"), assigned("s", "u"), assigned("r", "u"), granted("s", "*", "w"), granted("r", "x:*", "r")}
	for name, tt := range map[string]struct {
		ask  *messages.GetRegistryAccess
		want string
	}{
		"everything":         {&messages.GetRegistryAccess{}, "u is r; v is r; u is s; r may r x:*; s may w *"},
		"of a role":          {&messages.GetRegistryAccess{Role: "r"}, "u is r; v is r; r may r x:*"},
		"of a user's role":   {&messages.GetRegistryAccess{User: "u", Role: "s"}, "u is s; s may w *"},
		"of a role not held": {&messages.GetRegistryAccess{User: "v", Role: "s"}, ""},
	} {
		_, answer, err := drive(t, append(all, tt.ask)...)
		if got := shown(answer); err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

// FuzzMatches: no pattern takes for ever or is about more than its namespace says.
func FuzzMatches(f *testing.F) {
	f.Add("public:g:config/a*", "", "g", "a.yaml")
	f.Add("*", "ns", "a:b", "x/y")
	f.Add(":*:", "public", "", "")
	f.Add("a::/*:", "a", "", "*")
	f.Fuzz(func(t *testing.T, pattern, ns, group, name string) {
		got := Matches(pattern, Resource{ns, group, Config, name})
		own, _, _ := strings.Cut(pattern, ":")
		if got && !strings.Contains(own, "*") && strings.TrimSuffix(own, "public") != strings.TrimSuffix(ns, "public") {
			t.Errorf("%q is about namespace %q", pattern, ns)
		}
	})
}
