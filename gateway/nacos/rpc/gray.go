package rpc

import (
	"maps"
	"strings"

	"github.com/troupe-cloud/troupe/actors/config"
)

// appLabel is what labels of an application begin with, among those that a client
// connects with (nacos.app.conn.labels of Java clients).
const appLabel = "app_"

// grayLabels are what rules of gray versions know of a client: the labels of its
// application, and what this is called. Nil: none.
func (a *about) grayLabels() map[string]string {
	all := map[string]string{"AppName": a.app}
	for name, value := range a.labels {
		if of, is := strings.CutPrefix(name, appLabel); is {
			all[of] = value
		}
	}
	delete(all, config.TagLabel) // that is each request's
	maps.DeleteFunc(all, func(name, value string) bool { return name == "" || value == "" })
	if len(all) == 0 {
		return nil
	}
	return all
}

// labels are those of the connection and the tag that a request came with. Nobody
// changes them.
func (c *conn) labels(tag string) map[string]string {
	var all map[string]string
	if c.about != nil {
		all = c.about.gray
	}
	if tag == "" {
		return all
	}
	with := maps.Clone(all)
	if with == nil {
		with = map[string]string{}
	}
	with[config.TagLabel] = tag
	return with
}
