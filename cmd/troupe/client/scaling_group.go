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
)

// groupRow is a scaling group as the cloud's own API shows it.
type groupRow struct {
	ID             string          `json:"id"`
	Name           string          `json:"name"`
	ProjectID      string          `json:"project_id"`
	Status         string          `json:"status"`
	Reason         string          `json:"reason"`
	Desired        int             `json:"desired"`
	Healthy        int             `json:"healthy"`
	Lost           int             `json:"lost"`
	MinHealthy     int             `json:"min_healthy"`
	MaxUnavailable int             `json:"max_unavailable"`
	MaxSurge       int             `json:"max_surge"`
	HostGrace      float64         `json:"host_grace"`
	Unhealthy      float64         `json:"unhealthy_after"`
	Start          float64         `json:"start_within"`
	RollOnConfig   bool            `json:"roll_on_config"`
	Revision       int             `json:"revision"`
	Good           int             `json:"good_revision"`
	Previous       int             `json:"previous_revision"`
	Created        time.Time       `json:"created_at"`
	Updated        time.Time       `json:"updated_at"`
	Template       map[string]any  `json:"template,omitempty"`
	Members        []groupMember   `json:"members,omitempty"`
	Decisions      []groupDecision `json:"decisions,omitempty"`
}

type groupMember struct {
	Server    string    `json:"server_id"`
	Name      string    `json:"name"`
	Revision  int       `json:"revision"`
	State     string    `json:"state"`
	Reason    string    `json:"reason"`
	Since     time.Time `json:"since"`
	VMState   string    `json:"vm_state"`
	Addresses []string  `json:"addresses"`
}

type groupDecision struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

var groupColumns = []column[groupRow]{
	{"id", func(g groupRow) string { return g.ID }},
	{"name", func(g groupRow) string { return g.Name }},
	{"status", func(g groupRow) string { return g.Status }},
	{"in use", inUse},
	{"revision", func(g groupRow) string { return fmt.Sprint(g.Revision) }},
	{"reason", func(g groupRow) string { return g.Reason }},
}

// inUse says also how many are lost: they are replaced, and deleted once their hosts
// are back.
func inUse(g groupRow) string {
	if g.Lost > 0 {
		return fmt.Sprintf("%d of %d (%d lost)", g.Healthy, g.Desired, g.Lost)
	}
	return fmt.Sprintf("%d of %d", g.Healthy, g.Desired)
}

var groupDetails = append(groupColumns[:len(groupColumns):len(groupColumns)],
	column[groupRow]{"at least in use", func(g groupRow) string { return fmt.Sprint(g.MinHealthy) }},
	column[groupRow]{"in a roll", func(g groupRow) string {
		return fmt.Sprintf("%d more, %d fewer at most", g.MaxSurge, g.MaxUnavailable)
	}},
	column[groupRow]{"replaced after", func(g groupRow) string {
		return fmt.Sprintf("host down %v, unhealthy %v, not started %v", inSeconds(g.HostGrace), inSeconds(g.Unhealthy), inSeconds(g.Start))
	}},
	column[groupRow]{"rolls on a new config", func(g groupRow) string { return fmt.Sprint(g.RollOnConfig) }},
	column[groupRow]{"image", func(g groupRow) string { return fmt.Sprintf("%v (%v)", g.Template["image_name"], g.Template["image"]) }},
	column[groupRow]{"flavor", func(g groupRow) string { return fmt.Sprint(g.Template["flavor"]) }},
	column[groupRow]{"created", func(g groupRow) string { return when(g.Created) }},
)

var memberColumns = []column[groupMember]{
	{"server", func(m groupMember) string { return m.Name }},
	{"id", func(m groupMember) string { return m.Server }},
	{"state", func(m groupMember) string { return m.State }},
	{"revision", func(m groupMember) string { return fmt.Sprint(m.Revision) }},
	{"addresses", func(m groupMember) string { return strings.Join(m.Addresses, " ") }},
	{"since", func(m groupMember) string { return when(m.Since) }},
	{"reason", func(m groupMember) string { return m.Reason }},
}

var decisionColumns = []column[groupDecision]{
	{"decided", func(d groupDecision) string { return when(d.At) }},
	{"what", func(d groupDecision) string { return d.Text }},
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

func (a *app) allGroups(ctx context.Context, ofAllProjects bool) ([]groupRow, error) {
	c, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	address := c.ServiceURL("groups")
	if ofAllProjects {
		address += "?all_projects=true"
	}
	var answer struct{ Groups []groupRow }
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
func (a *app) showGroup(cmd *cobra.Command, g groupRow) error {
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
func (a *app) findGroup(ctx context.Context, name string) (groupRow, error) {
	if g, err := a.askGroup(ctx, http.MethodGet, nil, http.StatusOK, name); err == nil || !missing(err) {
		return g, err
	}
	all, err := a.allGroups(ctx, false)
	if err != nil {
		return groupRow{}, err
	}
	g, err := only("group", name, matching(all, name, func(g groupRow) string { return g.Name }), func(g groupRow) string { return g.ID })
	if err != nil {
		return groupRow{}, err
	}
	return a.askGroup(ctx, http.MethodGet, nil, http.StatusOK, g.ID)
}

// askGroup sends one request about groups; path is below /groups.
func (a *app) askGroup(ctx context.Context, method string, body any, want int, path ...string) (groupRow, error) {
	c, err := a.own(ctx)
	if err != nil {
		return groupRow{}, err
	}
	parts := []string{"groups"}
	for _, p := range path {
		parts = append(parts, url.PathEscape(p))
	}
	var answer struct{ Group groupRow }
	opts := &gophercloud.RequestOpts{OkCodes: []int{want}, JSONBody: body, JSONResponse: &answer}
	if method == http.MethodDelete {
		opts.JSONResponse = nil
	}
	_, err = c.Request(ctx, method, c.ServiceURL(parts...), opts)
	return answer.Group, err
}

// restGroup shows the group; with wait, once it has settled or given up.
func (a *app) restGroup(cmd *cobra.Command, g groupRow, w waiting) error {
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
