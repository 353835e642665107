package client

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

// pollTime is how long a poll waits for a change; the pauses after failures grow
// from pollMin to failedPause.
const (
	pollTime    = 30 * time.Second
	failedPause = 10 * time.Second
)

func (r *registryApp) configWatch() *cobra.Command {
	var content, once bool
	c := &cobra.Command{
		Use: "watch DATAID...", Short: "Print configs as they are, and each time that they change, until interrupted", Args: atLeastOne,
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			w := &configWatch{r: r, client: c, out: cmd.OutOrStdout(), content: content}
			for _, id := range args {
				w.probes = append(w.probes, nacos.Probe{Key: r.key(id), MD5: notYetShown})
			}
			return w.run(cmd.Context(), once, func(err error) { fmt.Fprintln(cmd.ErrOrStderr(), Explain(err)) })
		}),
	}
	c.Flags().BoolVar(&content, "content", false, "print the content too")
	c.Flags().BoolVar(&once, "once", false, "end with the first change of what was there")
	return c
}

// notYetShown is the MD5 of nothing that is there: what has it is shown at once.
const notYetShown = "notYetShown"

// configWatch follows some configs.
type configWatch struct {
	r       *registryApp
	client  *nacos.Client
	out     io.Writer
	content bool
	probes  []nacos.Probe
}

func (w *configWatch) run(ctx context.Context, once bool, tell func(error)) error {
	for i := range w.probes {
		if _, err := w.look(ctx, i); err != nil {
			return err
		}
	}
	pause := pollMin
	for {
		changed, err := w.poll(ctx)
		switch {
		case ctx.Err() != nil:
			return nil // interrupted, as it has to be
		case err != nil:
			tell(err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
			pause = min(2*pause, failedPause)
			continue
		}
		if changed && once {
			return nil
		}
		pause = pollMin
	}
}

// poll waits for a change once, and shows what changed.
func (w *configWatch) poll(ctx context.Context) (changed bool, err error) {
	keys, err := w.client.Listen(ctx, w.probes, pollTime)
	if err != nil {
		return false, err
	}
	for _, k := range keys {
		for i, p := range w.probes {
			if p.DataID != k.DataID || p.Group != k.Group {
				continue
			}
			is, err := w.look(ctx, i)
			if err != nil {
				return changed, err
			}
			changed = changed || is
		}
	}
	return changed, nil
}

// look shows a config if it is not what was shown last.
func (w *configWatch) look(ctx context.Context, i int) (changed bool, err error) {
	p := &w.probes[i]
	is, err := w.client.Config(ctx, p.Key)
	if nacos.IsNotFound(err) {
		is, err = nacos.Config{Key: p.Key}, nil
	}
	if err != nil || is.MD5 == p.MD5 {
		return false, err
	}
	p.MD5 = is.MD5
	if w.r.output != formatTable {
		return true, encode(w.out, w.r.output, is)
	}
	what := fmt.Sprintf("%s %d bytes", is.MD5, len(is.Content))
	if is.MD5 == "" {
		what = "is not there"
	}
	fmt.Fprintf(w.out, "%s %s %s %s\n", when(time.Now()), printable(is.Group), printable(is.DataID), what)
	if w.content && is.MD5 != "" {
		fmt.Fprintln(w.out, is.Content)
	}
	return true, nil
}
