package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/gateway/troupe/shape"
)

var groupColumns = []column[shape.Group]{
	{"id", func(g shape.Group) string { return g.ID }},
	{"name", func(g shape.Group) string { return g.Name }},
	{"status", func(g shape.Group) string { return g.Status }},
	{"in use", inUse},
	{"revision", func(g shape.Group) string { return fmt.Sprint(g.Revision) }},
	{"reason", func(g shape.Group) string { return g.Reason }},
}

// inUse says also how many are lost: they are replaced, and deleted once their hosts
// are back.
func inUse(g shape.Group) string {
	if g.Lost > 0 {
		return fmt.Sprintf("%d of %d (%d lost)", g.Healthy, g.Desired, g.Lost)
	}
	return fmt.Sprintf("%d of %d", g.Healthy, g.Desired)
}

var groupDetails = append(groupColumns[:len(groupColumns):len(groupColumns)],
	column[shape.Group]{"at least in use", func(g shape.Group) string { return fmt.Sprint(g.MinHealthy) }},
	column[shape.Group]{"in a roll", func(g shape.Group) string {
		return fmt.Sprintf("%d more, %d fewer at most", g.MaxSurge, g.MaxUnavailable)
	}},
	column[shape.Group]{"replaced after", func(g shape.Group) string {
		return fmt.Sprintf("host down %v, unhealthy %v, not started %v", inSeconds(g.HostGrace), inSeconds(g.Unhealthy), inSeconds(g.Start))
	}},
	column[shape.Group]{"rolls on a new config", func(g shape.Group) string { return fmt.Sprint(g.RollOnConfig) }},
	column[shape.Group]{"image", func(g shape.Group) string {
		return fmt.Sprintf("%s (%s)", made(g).ImageName, made(g).Image)
	}},
	column[shape.Group]{"flavor", func(g shape.Group) string { return made(g).Flavor }},
	column[shape.Group]{"created", func(g shape.Group) string { return when(g.Created) }},
)

var memberColumns = []column[shape.GroupMember]{
	{"server", func(m shape.GroupMember) string { return m.Name }},
	{"id", func(m shape.GroupMember) string { return m.Server }},
	{"state", func(m shape.GroupMember) string { return m.State }},
	{"revision", func(m shape.GroupMember) string { return fmt.Sprint(m.Revision) }},
	{"addresses", func(m shape.GroupMember) string { return strings.Join(m.Addresses, " ") }},
	{"since", func(m shape.GroupMember) string { return when(m.Since) }},
	{"reason", func(m shape.GroupMember) string { return m.Reason }},
}

var decisionColumns = []column[shape.GroupDecision]{
	{"decided", func(d shape.GroupDecision) string { return when(d.At) }},
	{"what", func(d shape.GroupDecision) string { return d.Text }},
}

// made is what the members are made of.
func made(g shape.Group) shape.GroupTemplate {
	if g.Template == nil {
		return shape.GroupTemplate{}
	}
	return *g.Template
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (a *app) scalingGroupCommand() *cobra.Command {
	return a.group("group", "Scaling groups of servers: create, list, show, scale, roll, rollback, delete",
		a.groupCreate(), a.groupList(), a.groupShow(), a.groupScale(), a.groupRoll(), a.groupRollback(), a.groupDelete())
}

func (a *app) groupList() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "list", Short: "List the scaling groups", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			groups, err := a.allGroups(cmd.Context(), all)
			if err != nil {
				return err
			}
			return list(cmd, a, groups, groupColumns)
		},
	}
	c.Flags().BoolVar(&all, "all-projects", false, "those of all projects (administrators)")
	return c
}

func (a *app) allGroups(ctx context.Context, ofAllProjects bool) ([]shape.Group, error) {
	c, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	address := c.ServiceURL("groups")
	if ofAllProjects {
		address += "?all_projects=true"
	}
	var answer struct{ Groups []shape.Group }
	_, err = c.Get(ctx, address, &answer, nil)
	return answer.Groups, err
}

func (a *app) groupShow() *cobra.Command {
	return &cobra.Command{
		Use: "show GROUP", Short: "Show a group, its servers and what it has decided of late", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := a.findGroup(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.showGroup(cmd, g)
		},
	}
}

// showGroup prints a group; as a table, with tables of its members and decisions.
func (a *app) showGroup(cmd *cobra.Command, g shape.Group) error {
	if err := show(cmd, a, g, groupDetails); err != nil || a.output != formatTable {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout())
	if err := list(cmd, a, g.Members, memberColumns); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return list(cmd, a, g.Decisions, decisionColumns)
}

// findGroup is the group of that id or name.
func (a *app) findGroup(ctx context.Context, name string) (shape.Group, error) {
	if g, err := a.askGroup(ctx, http.MethodGet, nil, http.StatusOK, name); err == nil || !missing(err) {
		return g, err
	}
	all, err := a.allGroups(ctx, false)
	if err != nil {
		return shape.Group{}, err
	}
	g, err := only("group", name, matching(all, name, func(g shape.Group) string { return g.Name }), func(g shape.Group) string { return g.ID })
	if err != nil {
		return shape.Group{}, err
	}
	return a.askGroup(ctx, http.MethodGet, nil, http.StatusOK, g.ID)
}

// askGroup sends one request about groups; path is below /groups.
func (a *app) askGroup(ctx context.Context, method string, body any, want int, path ...string) (shape.Group, error) {
	c, err := a.own(ctx)
	if err != nil {
		return shape.Group{}, err
	}
	parts := []string{"groups"}
	for _, p := range path {
		parts = append(parts, url.PathEscape(p))
	}
	var answer struct{ Group shape.Group }
	opts := &gophercloud.RequestOpts{OkCodes: []int{want}, JSONBody: body, JSONResponse: &answer}
	if method == http.MethodDelete {
		opts.JSONResponse = nil
	}
	_, err = c.Request(ctx, method, c.ServiceURL(parts...), opts)
	return answer.Group, err
}

// restGroup shows the group; with wait, once it has settled or given up.
func (a *app) restGroup(cmd *cobra.Command, g shape.Group, w waiting) error {
	if !w.wait {
		return a.showGroup(cmd, g)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), w.timeout)
	defer cancel()
	p := newProgress(cmd)
	err := poll(ctx, func() (bool, error) {
		now, err := a.askGroup(ctx, http.MethodGet, nil, http.StatusOK, g.ID)
		switch {
		case err != nil && ctx.Err() != nil:
			return false, nil // poll says why it ends
		case err != nil:
			return true, err
		}
		g = now
		p.say("%s: %s, %d of %d in use (%v) %s", g.Name, g.Status, g.Healthy, g.Desired, time.Since(p.began).Round(time.Second), g.Reason)
		if g.Status == "stopped" {
			return true, unsettled(fmt.Errorf("the roll of group %s has stopped: %s", g.Name, g.Reason))
		}
		return g.Status == "settled", nil
	})
	p.end()
	if err != nil {
		return err
	}
	return a.showGroup(cmd, g)
}
