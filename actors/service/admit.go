package service

import (
	"slices"
	"strings"
)

// ProjectsKey is the key of a service's metadata that names, with commas, the
// projects whose servers may announce themselves here; "*": of every project. Who may
// write to the service says so. Of a config, each is a tag of its own: TAG=PROJECT.
const ProjectsKey = "troupe.projects"

// NamesProject says whether a list of projects names one.
func NamesProject(list, project string) bool {
	for p := range strings.SplitSeq(list, ",") {
		if p = strings.TrimSpace(p); p == "*" || p == project && project != "" {
			return true
		}
	}
	return false
}

// TagsName is NamesProject of the tags of a config.
func TagsName(tags []string, project string) bool {
	return slices.ContainsFunc(tags, func(tag string) bool {
		p, ok := strings.CutPrefix(tag, ProjectsKey+"=")
		return ok && NamesProject(p, project)
	})
}

// admits says whether servers of a project may announce themselves: in the namespace
// that is named like the project; under a name that only its servers use; and where
// the service's metadata say so.
func (k *kept) admits(project string) bool {
	if k.namespace == project {
		return true
	}
	if list, ok := k.Metadata[ProjectsKey]; ok {
		return NamesProject(list, project)
	}
	return k.Project == project
}
