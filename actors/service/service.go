// Package service decides what serves under one name of the registry: its
// endpoints, who keeps each of them alive, what is known of their health, and the
// revision under which all of that is told. It speaks no dialect and opens no
// connection: gateways translate, and the node does the checks it asks for. It
// does not balance either; Select only says who is eligible.
package service

import (
	"fmt"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name.
const Kind = "service"

// IndexPrefix is what the index entries of services begin with; the escaped
// namespace, group and name follow, with slashes between them. Their values are
// marshalled messages.ServiceEntry.
const IndexPrefix = "service/"

// Where a name does not say its namespace, group or cluster.
const (
	DefaultNamespace = "public"
	DefaultGroup     = "DEFAULT_GROUP"
	DefaultCluster   = "DEFAULT"
)

// Separator stands between the parts of an identity.
const Separator = "@@"

// ID is the identity of a service's grain. An empty namespace is the public one,
// an empty group the default one.
func ID(namespace, group, name string) string {
	return Namespace(namespace) + Separator + Group(group) + Separator + name
}

// Ref names a service's grain.
func Ref(namespace, group, name string) actors.Ref {
	return actors.Ref{Kind: Kind, ID: ID(namespace, group, name)}
}

// Parse is ID's inverse: Invalid if id has no three parts, or one of them is none
// that Check accepts.
func Parse(id string) (namespace, group, name string, err error) {
	namespace, rest, _ := strings.Cut(id, Separator)
	group, name, ok := strings.Cut(rest, Separator)
	if !ok || namespace == "" || group == "" {
		return "", "", "", fmt.Errorf("a service is named NAMESPACE@@GROUP@@NAME, not %q: %w", id, messages.Invalid)
	}
	return namespace, group, name, Check(namespace, group, name)
}

// IndexKey is the key of a service's index entry.
func IndexKey(namespace, group, name string) string {
	return IndexGroup(namespace, group) + actors.Escape(name)
}

// IndexNamespace is what the entries of all services of a namespace begin with.
func IndexNamespace(namespace string) string {
	return IndexPrefix + actors.Escape(Namespace(namespace)) + "/"
}

// IndexGroup is what the entries of all services of a group begin with.
func IndexGroup(namespace, group string) string {
	return IndexNamespace(namespace) + actors.Escape(Group(group)) + "/"
}

// Namespace is the namespace's id, the public one's if it is empty.
func Namespace(id string) string { return or(id, DefaultNamespace) }

// Group is the group's name, the default one's if it is empty.
func Group(name string) string { return or(name, DefaultGroup) }

// Cluster is the cluster's name, the default one's if it is empty.
func Cluster(name string) string { return or(name, DefaultCluster) }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
