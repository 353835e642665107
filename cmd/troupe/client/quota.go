package client

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	"github.com/spf13/cobra"
)

// quotaRow is one limit of a project.
type quotaRow struct {
	Resource string `json:"resource"`
	Limit    int    `json:"limit"` // -1: none
	InUse    int    `json:"in_use"`
}

var quotaColumns = []column[quotaRow]{
	{"resource", func(q quotaRow) string { return q.Resource }},
	{"in use", func(q quotaRow) string { return strconv.Itoa(q.InUse) }},
	{"limit", func(q quotaRow) string {
		if q.Limit < 0 {
			return "unlimited"
		}
		return strconv.Itoa(q.Limit)
	}},
}

func (a *app) quotaCommand() *cobra.Command {
	return a.group("quota", "Limits of a project: show", a.quotaShow())
}

func (a *app) quotaShow() *cobra.Command {
	return &cobra.Command{
		Use: "show [PROJECT-ID]", Short: "Show a project's limits and what it uses; by default yours",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(fmt.Errorf("usage: %s", cmd.UseLine()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), serversVersion)
			if err != nil {
				return err
			}
			project, err := a.project(args)
			if err != nil {
				return err
			}
			q, err := quotasets.GetDetail(cmd.Context(), c, project).Extract()
			if err != nil {
				return err
			}
			row := func(name string, d quotasets.QuotaDetail) quotaRow { return quotaRow{name, d.Limit, d.InUse} }
			return list(cmd, a, []quotaRow{
				row("instances", q.Instances), row("cores", q.Cores), row("ram (MiB)", q.RAM),
				row("key pairs", q.KeyPairs), row("metadata items", q.MetadataItems),
				row("server groups", q.ServerGroups), row("server group members", q.ServerGroupMembers),
			}, quotaColumns)
		},
	}
}

// project is the named project, or the one of our token.
func (a *app) project(args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	result, ok := a.provider.GetAuthResult().(tokens.CreateResult)
	if !ok {
		return "", usage(errors.New("say which project: the login does not tell"))
	}
	p, err := result.ExtractProject()
	if err != nil {
		return "", err
	}
	if p == nil {
		return "", usage(errors.New("say which project: the login is for none"))
	}
	return p.ID, nil
}
