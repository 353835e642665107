package client

import (
	"fmt"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/gateway/troupe/shape"
)

func (a *app) serverExplain() *cobra.Command {
	return &cobra.Command{
		Use: "explain SERVER", Short: "Say why a server is on its host (administrators)", Args: exactly(1),
		Long: "Say how the scheduler chose: how many hosts each filter removed, with an example of why, and\n" +
			"what each weigher added to the score of the best hosts.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), serversVersion)
			if err != nil {
				return err
			}
			s, err := findServer(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			where := c.ServiceURL("servers", s.ID, "troupe-decision")
			var answer struct{ Decision shape.Placing }
			_, err = c.Get(cmd.Context(), where, &answer, &gophercloud.RequestOpts{OkCodes: []int{200}})
			if err != nil {
				return err
			}
			if a.output != formatTable {
				return encode(cmd.OutOrStdout(), a.output, answer.Decision)
			}
			return printPlacing(cmd, answer.Decision)
		},
	}
}

func printPlacing(cmd *cobra.Command, d shape.Placing) error {
	chosen := "none"
	if d.Chosen != nil {
		chosen = *d.Chosen
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d hosts were asked (%s mode); chosen: %s\n", d.Hosts, d.Mode, chosen)
	rows := [][]string{}
	for _, r := range d.Removed {
		rows = append(rows, []string{"filter " + r.Filter, "removed " + fmt.Sprint(r.Hosts), r.Example})
	}
	for _, b := range d.Best {
		rows = append(rows, []string{"host " + b.Host, fmt.Sprintf("score %.3f", b.Score), ""})
		for _, s := range b.Shares {
			rows = append(rows, []string{"  " + s.Weigher, fmt.Sprintf("%+.3f", s.Share), fmt.Sprintf("of %g", s.Raw)})
		}
	}
	return align(cmd.OutOrStdout(), rows)
}
