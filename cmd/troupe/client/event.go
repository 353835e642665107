package client

import (
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/spf13/cobra"
)

// actionRow is one entry of a server's history.
type actionRow struct {
	Action    string    `json:"action"`
	Request   string    `json:"request_id"`
	User      string    `json:"user_id"`
	StartedAt time.Time `json:"started_at"`
	Message   string    `json:"message"`
	Steps     []stepRow `json:"steps,omitempty"`
}

// stepRow is one step of an action.
type stepRow struct {
	Step       string     `json:"step"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"` // nil: under way
	Result     string     `json:"result"`
	Host       string     `json:"host"`
	Details    string     `json:"details"`
}

func newActionRow(x instanceactions.InstanceAction) actionRow {
	return actionRow{Action: x.Action, Request: x.RequestID, User: x.UserID, StartedAt: x.StartTime, Message: x.Message}
}

func newStepRow(e instanceactions.Event) stepRow {
	s := stepRow{Step: e.Event, StartedAt: e.StartTime, Result: first(e.Result, "under way"), Details: e.Traceback}
	if !e.FinishTime.IsZero() {
		s.FinishedAt = &e.FinishTime
	}
	if e.Host != nil {
		s.Host = *e.Host
	}
	return s
}

var actionColumns = []column[actionRow]{
	{"action", func(x actionRow) string { return x.Action }},
	{"started", func(x actionRow) string { return when(x.StartedAt) }},
	{"request", func(x actionRow) string { return x.Request }},
	{"message", func(x actionRow) string { return x.Message }},
}

var stepColumns = []column[stepRow]{
	{"step", func(s stepRow) string { return s.Step }},
	{"started", func(s stepRow) string { return when(s.StartedAt) }},
	{"took", func(s stepRow) string {
		if s.FinishedAt == nil {
			return "-"
		}
		return s.FinishedAt.Sub(s.StartedAt).Round(time.Millisecond).String()
	}},
	{"result", func(s stepRow) string { return s.Result }},
	{"host", func(s stepRow) string { return first(s.Host, "-") }},
	{"details", func(s stepRow) string { return s.Details }},
}

func (a *app) eventCommand() *cobra.Command {
	return a.group("event", "What was done to a server: list, show", a.eventList(), a.eventShow())
}

func (a *app) eventList() *cobra.Command {
	return &cobra.Command{
		Use: "list SERVER", Short: "List what was done to a server, newest first", Args: exactly(1),
		Long: "List what was done to a server, newest first. A deleted server is known by its id only.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), actionsVersion)
			if err != nil {
				return err
			}
			id := args[0]
			if s, err := findServer(cmd.Context(), c, id); err == nil {
				id = s.ID
			} else if ExitCode(err) != ExitNotFound {
				return err
			}
			pages, err := instanceactions.List(c, id, nil).AllPages(cmd.Context())
			if missing(err) {
				return notFound("server", args[0])
			}
			if err != nil {
				return err
			}
			all, err := instanceactions.ExtractInstanceActions(pages)
			if err != nil {
				return err
			}
			return list(cmd, a, mapped(all, newActionRow), actionColumns)
		},
	}
}

func (a *app) eventShow() *cobra.Command {
	return &cobra.Command{
		Use: "show SERVER REQUEST", Short: "Show the steps of one action with their times", Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), actionsVersion)
			if err != nil {
				return err
			}
			id := args[0]
			if s, err := findServer(cmd.Context(), c, id); err == nil {
				id = s.ID
			}
			action, err := instanceactions.Get(cmd.Context(), c, id, args[1]).Extract()
			if missing(err) {
				return notFound("request", args[1])
			}
			if err != nil {
				return err
			}
			row := newActionRow(instanceactions.InstanceAction{
				Action: action.Action, RequestID: action.RequestID, UserID: action.UserID,
				StartTime: action.StartTime, Message: action.Message,
			})
			if action.Events != nil {
				row.Steps = mapped(*action.Events, newStepRow)
			}
			if a.output != formatTable {
				return encode(cmd.OutOrStdout(), a.output, row)
			}
			return list(cmd, a, row.Steps, stepColumns)
		},
	}
}
