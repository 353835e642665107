package client

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

// How an endpoint is kept alive.
const (
	beatInterval = 5 * time.Second // where the server says nothing else
	farewellTime = 5 * time.Second // to remove it when the command is interrupted
)

// keepAlive beats until the command is interrupted, and removes the endpoint then.
// Who has been forgotten registers again.
func keepAlive(cmd *cobra.Command, c *nacos.Client, k nacos.ServiceKey, e nacos.Endpoint) error {
	ctx := cmd.Context()
	for pause := beatInterval; ; {
		select {
		case <-ctx.Done():
			bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellTime)
			defer cancel()
			return c.Deregister(bye, k, e)
		case <-time.After(pause):
		}
		known, next, err := c.Beat(ctx, k, e)
		if err == nil && !known {
			err = c.Register(ctx, k, e)
		}
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(cmd.ErrOrStderr(), Explain(err))
		}
		if pause = beatInterval; next > 0 {
			pause = max(time.Duration(next)*time.Millisecond, pollMin)
		}
	}
}

func (r *registryApp) serviceWatch() *cobra.Command {
	var interval time.Duration
	var healthy bool
	c := &cobra.Command{
		Use: "watch NAME", Short: "Print the endpoints of a service, and what changes, until interrupted", Args: exactly(1),
		Long: "Print the enabled endpoints of a service as they come (+), go (-) and change (~). The service is asked\n" +
			"every --interval, as clients over HTTP do; what comes and goes between two looks is not seen.",
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			if interval < pollMin {
				return usage(fmt.Errorf("--interval is %v at least", pollMin))
			}
			w := &serviceWatch{out: cmd.OutOrStdout(), shown: map[string]nacos.Endpoint{}}
			for ctx := cmd.Context(); ; {
				hosts, _, err := c.List(ctx, r.service(args[0]), healthy)
				switch {
				case ctx.Err() != nil:
					return nil
				case err != nil && w.looks == 0:
					return err
				case err != nil:
					fmt.Fprintln(cmd.ErrOrStderr(), Explain(err))
				default:
					w.look(hosts)
				}
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(interval):
				}
			}
		}),
	}
	c.Flags().DurationVar(&interval, "interval", time.Second, "how long between two looks")
	c.Flags().BoolVar(&healthy, "healthy", false, "healthy endpoints only")
	return c
}

// serviceWatch shows what is different from look to look.
type serviceWatch struct {
	out   io.Writer
	shown map[string]nacos.Endpoint
	looks int
}

func (w *serviceWatch) look(hosts []nacos.Endpoint) {
	w.looks++
	slices.SortFunc(hosts, func(a, b nacos.Endpoint) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(address(a), address(b)))
	})
	is := map[string]nacos.Endpoint{}
	for _, e := range hosts {
		key := e.Cluster + " " + address(e)
		is[key] = e
		if was, ok := w.shown[key]; !ok {
			w.line("+", e)
		} else if !reflect.DeepEqual(was, e) {
			w.line("~", e)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.shown)) {
		if _, ok := is[key]; !ok {
			w.line("-", w.shown[key])
		}
	}
	w.shown = is
}

func (w *serviceWatch) line(sign string, e nacos.Endpoint) {
	fmt.Fprintf(w.out, "%s %s %s %s weight=%g healthy=%t %s\n", when(time.Now()), sign, printable(address(e)), printable(e.Cluster),
		e.Weight, e.Healthy, printable(metadata(e.Metadata)))
}
