// Command watchserver shows how a Go program uses a cloud: it has a server created,
// prints what the server goes through until it is ACTIVE, and deletes it.
//
//	troupe cluster cert client demo --data DIR      # once, on a node: makes the folder demo
//	watchserver -cert demo -addresses 10.0.0.1:7774,10.0.0.2:7774 -project ID -image debian -flavor m1.small
//
// It speaks to any of the nodes, and goes on with another when that one ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/troupe-cloud/troupe/client"
	"github.com/troupe-cloud/troupe/messages"
)

type options struct {
	config client.Config
	spec   client.InstanceSpec
	keep   bool
	within time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "watchserver:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("watchserver", flag.ContinueOnError)
	addresses := f.String("addresses", "127.0.0.1:7774", "HOST:PORT of nodes, separated by commas")
	network := f.String("network", "", "id or name of a network; by default the only one there is")
	f.StringVar(&o.config.Dir, "cert", "demo", "folder with ca.crt, client.crt and client.key")
	f.StringVar(&o.spec.Name, "name", "watched", "name of the server")
	f.StringVar(&o.spec.Project, "project", "", "id of its project; a certificate of a project says it already")
	f.StringVar(&o.spec.Image, "image", "", "id or name of its image")
	f.StringVar(&o.spec.Flavor, "flavor", "m1.tiny", "id or name of its flavor")
	f.BoolVar(&o.keep, "keep", false, "do not delete it")
	f.DurationVar(&o.within, "timeout", 10*time.Minute, "how long all may take")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.config.Addresses = strings.Split(*addresses, ",")
	if *network != "" {
		o.spec.Networks = []client.Network{{Network: *network}}
	}
	return o, nil
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, o.within)
	defer cancel()
	cloud, err := client.Open(ctx, o.config)
	if err != nil {
		return err
	}
	defer cloud.Close()
	server, err := cloud.CreateInstance(ctx, o.spec)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "server %s of project %s is ordered\n", server.GetId(), server.GetProjectId())
	changes, err := cloud.WatchInstance(ctx, server.GetId())
	if err == nil {
		err = until(changes, out, active)
	}
	if o.keep {
		return err
	}
	// Also when it was interrupted.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), client.DefaultTimeout)
	defer cancel()
	if deleteErr := cloud.DeleteInstance(clean, server.GetId()); deleteErr != nil || err != nil {
		return errors.Join(err, deleteErr)
	}
	return until(changes, out, deleted)
}

// until prints changes until one of them is the last of interest.
func until(changes <-chan client.InstanceChange, out io.Writer, last func(client.InstanceChange) (bool, error)) error {
	for change := range changes {
		fmt.Fprintln(out, line(change))
		if over, err := last(change); over || err != nil {
			return err
		}
	}
	return errors.New("the watch ended early")
}

func active(c client.InstanceChange) (bool, error) {
	switch {
	case c.Err != nil:
		return false, c.Err
	case c.Instance.GetVmState() == messages.VMState_VM_STATE_ERROR:
		return false, fmt.Errorf("it failed: %s", c.Instance.GetFault().GetMessage())
	}
	return c.Instance.GetVmState() == messages.VMState_VM_STATE_ACTIVE && c.Instance.GetTaskState() == messages.TaskState_TASK_STATE_NONE, nil
}

func deleted(c client.InstanceChange) (bool, error) {
	if c.Err != nil && !errors.Is(c.Err, messages.NotFound) {
		return false, c.Err
	}
	return c.Err != nil || c.Instance.GetVmState() == messages.VMState_VM_STATE_DELETED, nil
}

// line is a change as people read it.
func line(c client.InstanceChange) string {
	if errors.Is(c.Err, messages.NotFound) {
		return "it is gone"
	}
	if c.Err != nil {
		return "it cannot be seen: " + c.Err.Error()
	}
	v := c.Instance
	var parts []string
	for _, p := range []string{
		strings.TrimPrefix(v.GetVmState().String(), "VM_STATE_"), strings.TrimPrefix(v.GetTaskState().String(), "TASK_STATE_"),
		strings.TrimPrefix(v.GetPowerState().String(), "POWER_STATE_"), v.GetHost(),
	} {
		if p != "" && p != "NONE" && p != "NOSTATE" {
			parts = append(parts, p)
		}
	}
	for _, p := range v.GetPorts() {
		parts = append(parts, p.GetAddress())
	}
	return strings.Join(parts, " ")
}
