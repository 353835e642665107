package access

import (
	"strings"

	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/messages"
)

// Resource is what a permission is about: one service or config key, or with an
// empty Group or Name all of the namespace or the group, such as a list.
type Resource struct{ Namespace, Group, Type, Name string }

// Types of resources.
const (
	Config = "config"
	Naming = "naming"
)

// Allows says whether one of permissions lets its role do action (r, w or rw) with
// the resource.
//
// A permission's resource is NAMESPACE:GROUP:TYPE/NAME. In each of the three parts
// an asterisk stands for any text, also none; nothing else is special. An empty
// namespace is the public one. Parts at the end that are missing count only if the
// last one there is an asterisk: "*" is everything, "public:*" all of public. As
// in Nacos, what is about all names (an empty Name) is allowed by who may have all
// of them only. Other than in Nacos an asterisk does not reach from one part into
// the next: "public:a*" is no permission for the group "b".
func Allows(permissions []*messages.RegistryPermission, what Resource, action string) bool {
	for _, p := range permissions {
		if action != "" && covers(p.GetAction(), action) && Matches(p.GetResource(), what) {
			return true
		}
	}
	return false
}

// covers says whether whoever may do granted may do all of asked.
func covers(granted, asked string) bool {
	for i := range len(asked) {
		if strings.IndexByte(granted, asked[i]) < 0 {
			return false
		}
	}
	return true
}

// Matches says whether a permission's resource is about what.
func Matches(pattern string, what Resource) bool {
	ns, group, rest, ok := split(pattern)
	if !ok {
		return false
	}
	name := what.Type + "/" + all(what.Name)
	return Glob(namespace.ID(ns), namespace.ID(what.Namespace)) && Glob(group, all(what.Group)) && Glob(rest, name)
}

// all is what stands in a resource for every group or name.
func all(s string) string {
	if s == "" {
		return "*"
	}
	return s
}

// split cuts a pattern into its parts. A namespace and a type hold no colon, a
// group and a name may: the first slash is the one behind the type, and the colon
// before it ends the group.
func split(pattern string) (ns, group, rest string, ok bool) {
	ns, rest, cut := strings.Cut(pattern, ":")
	if !cut {
		return "*", "*", "*", pattern == "*"
	}
	head := rest
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		head = rest[:slash]
	}
	colon := strings.LastIndexByte(head, ':')
	if colon < 0 {
		return ns, "*", "*", rest == "*"
	}
	return ns, rest[:colon], rest[colon+1:], true
}

// Glob says whether s is pattern, in which each asterisk stands for any text and
// nothing else is special. It takes len(pattern)*len(s) steps at most.
func Glob(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p, i = p+1, i+1
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
