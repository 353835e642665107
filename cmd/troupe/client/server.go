package client

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/spf13/cobra"
)

// serverRow is a server as it is shown.
type serverRow struct {
	ID            string              `json:"id"`
	Name          string              `json:"name"`
	Status        string              `json:"status"`
	TaskState     string              `json:"task_state"`
	VMState       string              `json:"vm_state"`
	PowerState    string              `json:"power_state"`
	Addresses     map[string][]string `json:"addresses"` // by network
	Flavor        string              `json:"flavor"`
	ImageID       string              `json:"image_id"`
	KeyName       string              `json:"key_name"`
	Zone          string              `json:"availability_zone"`
	Host          string              `json:"host,omitempty"` // administrators see it
	Properties    map[string]string   `json:"properties"`
	Tags          []string            `json:"tags"`
	ProjectID     string              `json:"project_id"`
	CreatedAt     time.Time           `json:"created_at"`
	UpdatedAt     time.Time           `json:"updated_at"`
	Fault         string              `json:"fault,omitempty"`
	AdminPassword string              `json:"admin_password,omitempty"` // in answer to create only
}

func newServerRow(s servers.Server) serverRow {
	r := serverRow{
		ID: s.ID, Name: s.Name, Status: s.Status, TaskState: s.TaskState, VMState: s.VmState,
		PowerState: s.PowerState.String(), Addresses: addresses(s.Addresses), KeyName: s.KeyName,
		Zone: s.AvailabilityZone, Host: s.Host, Properties: s.Metadata, ProjectID: s.TenantID,
		CreatedAt: s.Created, UpdatedAt: s.Updated, Fault: s.Fault.Message, AdminPassword: s.AdminPass,
	}
	r.Flavor, _ = s.Flavor["original_name"].(string)
	r.ImageID, _ = s.Image["id"].(string)
	r.Tags = []string{}
	if s.Tags != nil {
		r.Tags = *s.Tags
	}
	return r
}

// addresses reads {"net": [{"addr": "10.0.0.5", ...}]}.
func addresses(raw map[string]any) map[string][]string {
	out := map[string][]string{}
	for network, list := range raw {
		all, _ := list.([]any)
		for _, one := range all {
			if m, ok := one.(map[string]any); ok {
				if addr, ok := m["addr"].(string); ok {
					out[network] = append(out[network], addr)
				}
			}
		}
	}
	return out
}

var serverColumns = []column[serverRow]{
	{"id", func(s serverRow) string { return s.ID }},
	{"name", func(s serverRow) string { return s.Name }},
	{"status", func(s serverRow) string { return s.Status }},
	{"addresses", func(s serverRow) string { return joined(s.Addresses) }},
	{"flavor", func(s serverRow) string { return s.Flavor }},
	{"host", func(s serverRow) string { return first(s.Host, "-") }},
}

var serverDetails = append(slices.Clone(serverColumns),
	column[serverRow]{"task", func(s serverRow) string { return first(s.TaskState, "-") }},
	column[serverRow]{"power", func(s serverRow) string { return s.PowerState }},
	column[serverRow]{"image", func(s serverRow) string { return s.ImageID }},
	column[serverRow]{"key", func(s serverRow) string { return first(s.KeyName, "-") }},
	column[serverRow]{"zone", func(s serverRow) string { return s.Zone }},
	column[serverRow]{"properties", func(s serverRow) string { return joinedPairs(s.Properties) }},
	column[serverRow]{"tags", func(s serverRow) string { return strings.Join(s.Tags, ", ") }},
	column[serverRow]{"project", func(s serverRow) string { return s.ProjectID }},
	column[serverRow]{"created", func(s serverRow) string { return when(s.CreatedAt) }},
	column[serverRow]{"updated", func(s serverRow) string { return when(s.UpdatedAt) }},
	column[serverRow]{"fault", func(s serverRow) string { return first(s.Fault, "-") }},
)

func joined(byNetwork map[string][]string) string {
	var parts []string
	for network, list := range byNetwork {
		parts = append(parts, network+"="+strings.Join(list, ","))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

func joinedPairs(m map[string]string) string {
	var parts []string
	for k, v := range m {
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func (a *app) serverCommand() *cobra.Command {
	return a.group("server", "Virtual machines: create, list, show, console, stop, start, reboot, delete, explain",
		a.serverCreate(), a.serverList(), a.serverShow(), a.serverConsole(),
		a.serverStop(), a.serverStart(), a.serverReboot(), a.serverEvacuate(), a.serverDelete(), a.serverExplain())
}

func (a *app) serverList() *cobra.Command {
	var opts servers.ListOpts
	c := &cobra.Command{
		Use: "list", Short: "List servers, newest first", Args: exactly(0),
		Example: "  troupe server list --status ACTIVE\n  troupe server list --all-projects -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.compute(cmd.Context(), serversVersion)
			if err != nil {
				return err
			}
			pages, err := servers.List(c, opts).AllPages(cmd.Context())
			if err != nil {
				return err
			}
			all, err := servers.ExtractServers(pages)
			if err != nil {
				return err
			}
			return list(cmd, a, mapped(all, newServerRow), serverColumns)
		},
	}
	c.Flags().StringVar(&opts.Name, "name", "", "only names that match this regular expression")
	c.Flags().StringVar(&opts.Status, "status", "", "only this status, e.g. ACTIVE")
	c.Flags().StringVar(&opts.Host, "host", "", "only on this host (administrators)")
	c.Flags().StringVar(&opts.Tags, "tag", "", "only with these tags, comma separated")
	c.Flags().BoolVar(&opts.AllTenants, "all-projects", false, "of all projects (administrators)")
	return c
}

func (a *app) serverShow() *cobra.Command {
	return &cobra.Command{
		Use: "show SERVER", Short: "Show a server", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), serversVersion)
			if err != nil {
				return err
			}
			s, err := findServer(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return show(cmd, a, newServerRow(s), serverDetails)
		},
	}
}

func (a *app) serverConsole() *cobra.Command {
	var lines int
	var follow bool
	c := &cobra.Command{
		Use: "console SERVER", Short: "Print what a server wrote on its serial console", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			c, err := a.compute(ctx, serversVersion)
			if err != nil {
				return err
			}
			s, err := findServer(ctx, c, args[0])
			if err != nil {
				return err
			}
			shown := ""
			return poll(ctx, func() (bool, error) {
				out, err := servers.ShowConsoleOutput(ctx, c, s.ID, servers.ShowConsoleOutputOpts{Length: lines}).Extract()
				if err != nil {
					return true, err
				}
				_, err = fmt.Fprint(cmd.OutOrStdout(), unseen(shown, out))
				shown = out
				return !follow, err
			})
		},
	}
	c.Flags().IntVar(&lines, "lines", 0, "only the last lines; 0: all that is kept")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing until interrupted")
	return c
}

// unseen is what out has more than shown; all of it if the log began anew.
func unseen(shown, out string) string {
	if rest, ok := strings.CutPrefix(out, shown); ok {
		return rest
	}
	// The kept log is a window that moves: find where what was shown ends.
	const anchor = 256
	tail := shown[max(0, len(shown)-anchor):]
	if i := strings.LastIndex(out, tail); i >= 0 {
		return out[i+len(tail):]
	}
	return out
}
