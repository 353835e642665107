// Command troupe owns the wiring of a cloud and its command line: it reads
// settings, starts what they ask for, and holds the client commands. It decides
// nothing and translates nothing itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/cmd/troupe/bench"
	"github.com/troupe-cloud/troupe/cmd/troupe/client"
	"github.com/troupe-cloud/troupe/messages"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := rootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "troupe:", client.Explain(err))
	}
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	var s settingError
	if errors.As(err, &s) || isUsage(err) {
		return client.ExitUsage
	}
	for _, k := range kindCodes {
		if errors.Is(err, k.kind) {
			return k.code
		}
	}
	return client.ExitCode(err)
}

// kindCodes are the exit codes of errors of ours.
var kindCodes = []struct {
	kind error
	code int
}{
	{messages.Invalid, client.ExitUsage}, {messages.NotFound, client.ExitNotFound}, {messages.Denied, client.ExitDenied},
	{messages.Conflict, client.ExitConflict}, {messages.Unavailable, client.ExitUnavailable},
}

// isUsage recognises cobra's own complaints, which have no type.
func isUsage(err error) bool {
	if err == nil {
		return false
	}
	for _, start := range []string{"unknown command", "required flag", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "troupe",
		Short: "A cloud control plane of virtual actors, and the commands of its users",
		Long: "troupe runs virtual machines behind the OpenStack compute API, and is the client of such a cloud.\n\n" +
			"Start a cloud on this machine with: troupe dev\n" +
			"Its users' commands find it by --os-cloud or OS_CLOUD (a clouds.yaml), by the OS_* variables of an\n" +
			"openrc, or in run/clouds.yaml, where `make run` leaves it.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong command line or setting, 3 not found, 4 not allowed,\n" +
			"5 not possible in the present state, 6 cloud not reachable or overloaded, 7 --wait ended in an error.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return settingError{err} })
	root.AddGroup(&cobra.Group{ID: "cloud", Title: "Commands that run a cloud:"})
	client.Add(root)
	measure := bench.Command(tuneCollector)
	measure.GroupID = "cloud"
	root.AddCommand(devCommand(), nodeCommand(), clusterCommand(), storeCommand(), adminCommand(), measure, versionCommand())
	return root
}
