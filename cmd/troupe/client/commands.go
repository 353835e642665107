package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// group makes a command that only holds others.
func (a *app) group(name, short string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return cmd.Help()
	}}
	for _, b := range below {
		b.PreRunE = a.checkOutput
		c.AddCommand(b)
	}
	return c
}

// exactly refuses another number of arguments and says what they are.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return usage(fmt.Errorf("usage: %s", cmd.UseLine()))
	}
}

// each does one thing to every name and goes on after an error.
func each(names []string, do func(name string) error) error {
	var all []error
	for _, name := range names {
		if err := do(name); err != nil {
			all = append(all, err)
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	texts := make([]error, len(all))
	for i, err := range all {
		texts[i] = errors.New(Explain(err))
	}
	if len(all) > 1 {
		return exitError{ExitCode(all[0]), errors.Join(texts...)}
	}
	return nil
}

// atLeastOne refuses a command line without a name.
func atLeastOne(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(fmt.Errorf("usage: %s", cmd.UseLine()))
	}
	return nil
}

// pairs parses --property k=v.
func pairs(flags []string) (map[string]string, error) {
	m := map[string]string{}
	for _, f := range flags {
		k, v, ok := cut(f)
		if !ok {
			return nil, usage(fmt.Errorf("%q is not of the form key=value", f))
		}
		m[k] = v
	}
	return m, nil
}

func cut(s string) (k, v string, ok bool) {
	for i := range len(s) {
		if s[i] == '=' {
			return s[:i], s[i+1:], i > 0
		}
	}
	return "", "", false
}

// The pause between two looks of --wait grows from pollMin to pollMax.
const (
	pollMin = 100 * time.Millisecond
	pollMax = 2 * time.Second
)

// poll calls look until it says done, with growing pauses.
func poll(ctx context.Context, look func() (done bool, err error)) error {
	for pause := pollMin; ; pause = min(pause*3/2, pollMax) {
		done, err := look()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return unsettled(errors.New("it took longer than --timeout"))
			}
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// mapped is f of every item.
func mapped[A, B any](items []A, f func(A) B) []B {
	out := make([]B, len(items))
	for i, item := range items {
		out[i] = f(item)
	}
	return out
}
