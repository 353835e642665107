package client

import (
	"fmt"
	"strconv"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/spf13/cobra"
)

// decision is why a server is where it is, as Troupe answers it beside the compute API.
type decision struct {
	Mode    string `json:"mode"`
	Hosts   int    `json:"hosts_asked"`
	Removed []struct {
		Filter  string `json:"filter"`
		Hosts   int    `json:"hosts"`
		Example string `json:"example"`
	} `json:"removed"`
	Best []struct {
		Host   string  `json:"host"`
		Score  float64 `json:"score"`
		Shares []struct {
			Weigher string  `json:"weigher"`
			Raw     float64 `json:"raw"`
			Share   float64 `json:"share"`
		} `json:"shares"`
	} `json:"best"`
	Chosen string `json:"chosen"`
}

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
			var answer struct{ Decision decision }
			_, err = c.Get(cmd.Context(), where, &answer, &gophercloud.RequestOpts{OkCodes: []int{200}})
			if err != nil {
				return err
			}
			if a.output != formatTable {
				return encode(cmd.OutOrStdout(), a.output, answer.Decision)
			}
			return answer.Decision.print(cmd)
		},
	}
}

func (d decision) print(cmd *cobra.Command) error {
	fmt.Fprintf(cmd.OutOrStdout(), "%d hosts were asked (%s mode); chosen: %s\n", d.Hosts, d.Mode, first(d.Chosen, "none"))
	rows := [][]string{}
	for _, r := range d.Removed {
		rows = append(rows, []string{"filter " + r.Filter, "removed " + strconv.Itoa(r.Hosts), r.Example})
	}
	for _, b := range d.Best {
		rows = append(rows, []string{"host " + b.Host, fmt.Sprintf("score %.3f", b.Score), ""})
		for _, s := range b.Shares {
			rows = append(rows, []string{"  " + s.Weigher, fmt.Sprintf("%+.3f", s.Share), fmt.Sprintf("of %g", s.Raw)})
		}
	}
	return align(cmd.OutOrStdout(), rows)
}
