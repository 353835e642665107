package api

import "testing"

// TestScope: only an operator's scope is empty, for that one sees everything.
func TestScope(t *testing.T) {
	for name, tt := range map[string]struct {
		who  *Principal
		want string
	}{
		"operator":        {&Principal{ProjectID: "p", Roles: []string{"admin"}}, ""},
		"member":          {&Principal{ProjectID: "p", Roles: []string{"member"}}, "p"},
		"without project": {&Principal{UserID: "u"}, Nobody},
		"domain-scoped":   {&Principal{DomainID: "d", Roles: []string{"member"}}, Nobody},
		"nobody":          {nil, Nobody},
	} {
		if got := tt.who.Scope(); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
