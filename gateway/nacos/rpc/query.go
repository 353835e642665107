package rpc

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// serviceQuery answers with a service's instances.
func serviceQuery(c *call) error {
	var n naming
	at, err := c.target(&n, api.Read)
	if err != nil {
		return err
	}
	s, err := c.service(at)
	if err != nil {
		return err
	}
	c.info(&n, at, s, n.healthyOnly)
	return nil
}

// service is a service as it is now; nil: it does not exist.
func (c *call) service(at actors.Ref) (*messages.Service, error) {
	s, err := cluster.Ask[*messages.Service](c.ctx, c.server.cfg.Cloud, at, &messages.GetService{})
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_NOT_FOUND {
		return nil, nil
	}
	return s, err
}

// info answers with a service as the client sees it; s nil: nobody serves.
func (c *call) info(n *naming, at actors.Ref, s *messages.Service, healthyOnly bool) {
	info := wire.ServiceInfo{Group: n.group, Name: n.name, Clusters: n.clusters, Revision: registry.AbsentRevision(c.server.now())}
	c.ok()
	c.reply.b = append(c.reply.b, `,"serviceInfo":`...)
	if s == nil {
		c.reply.b = info.Append(c.reply.b)
		return
	}
	if personal(s) {
		info.Choose(s, healthyOnly, c.conn.address())
		c.reply.b = info.Append(c.reply.b)
		return
	}
	view := n.clusters
	if healthyOnly {
		view = "healthy\x00" + view
	}
	c.reply.b = append(c.reply.b, c.server.renders.Rendered(at, s.GetRevision(), view, func() []byte {
		info.Choose(s, healthyOnly, "")
		return info.Render()
	})...)
}

// personal says whether consumers of different addresses see different instances.
func personal(s *messages.Service) bool {
	t := s.GetSelector().GetType()
	return t != "" && t != "none"
}

// address is the client's own idea of where it is, or else where it comes from.
func (c *conn) address() string {
	if c.about != nil && c.about.clientIP != "" {
		return c.about.clientIP
	}
	return c.ip
}

// serviceList answers with a page of the names of a group's services.
func serviceList(c *call) error {
	var n naming
	if err := c.naming(&n); err != nil {
		return err
	}
	if err := service.CheckNamespace(n.namespace); err != nil {
		return err
	}
	if err := service.CheckGroup(n.group); err != nil {
		return err
	}
	if err := c.permit(api.Read, api.Resource{Namespace: n.namespace, Group: n.group, Type: api.Naming}); err != nil {
		return err
	}
	if n.page < 1 || n.size < 1 || n.size > maxPageSize {
		return fmt.Errorf("a page has a number from 1 and at most %d names: %w", maxPageSize, messages.Invalid)
	}
	count, names, err := c.names(service.IndexGroup(n.namespace, n.group), int((n.page-1)*n.size), int(n.size))
	if err != nil {
		return err
	}
	c.ok()
	b := strconv.AppendInt(append(c.reply.b, `,"count":`...), int64(count), 10)
	b = append(b, `,"serviceNames":[`...)
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendText(b, name)
	}
	c.reply.b = append(b, ']')
	return nil
}

// listPage is how many index entries are read at once.
const listPage = 1000

// names counts the index entries below a prefix and lists some of their last
// elements.
func (c *call) names(prefix string, skip, limit int) (count int, names []string, err error) {
	for page := (cluster.Page{Prefix: prefix, Limit: listPage}); ; {
		entries, more, err := c.server.cfg.Cloud.List(c.ctx, page)
		if err != nil {
			return 0, nil, err
		}
		for _, e := range entries {
			if count >= skip && len(names) < limit {
				if name, err := url.PathUnescape(strings.TrimPrefix(e.Key, prefix)); err == nil {
					names = append(names, name)
				}
			}
			count++
		}
		if !more || len(entries) == 0 {
			return count, names, nil
		}
		page.After = entries[len(entries)-1].Key
	}
}
