package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/bolt"
	"github.com/troupe-cloud/troupe/messages"
)

// A million endpoints in the actor layer alone.
const (
	millionServices  = 1000
	millionEndpoints = 1000 // of each service
	beatEvery        = 5 * time.Second
	beatRounds       = 4
	registersAtOnce  = 8
	patience         = 5 * time.Minute
	registerTime     = time.Minute // for those of one service, on a machine that others use too
)

// millionReport is what the process with the endpoints says of itself.
type millionReport struct {
	EmptyMiB   float64
	LoadedMiB  float64       // while they beat
	RSSMiB     float64       // when what may be given back has been, as a calm cloud does
	Registered time.Duration // in which all were
	Cores      float64       // processors that their beats took, the askers included
	Longest    time.Duration // that the beats of all took at once
}

// million measures a process of its own, in which there is nothing else.
func million(r *run) error {
	if err := r.ends(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	before := r.usage()
	var out, stderr bytes.Buffer
	c := exec.CommandContext(r.ctx, self, "bench", "endpoints", "--dir", r.dir)
	c.Stdout, c.Stderr = &out, &stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := c.Run(); err != nil {
		return fmt.Errorf("the process with the endpoints: %w: %s", err, stderr.Bytes())
	}
	var got millionReport
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return err
	}
	what := fmt.Sprintf("%d endpoints in %d services, actors alone", millionServices*millionEndpoints, millionServices)
	r.add(what+": memory", fmt.Sprintf("%.0f MiB", got.RSSMiB), "< 1500 MB",
		fmt.Sprintf("%.0f MiB empty, %.0f MiB while they beat; registered in %.1f s; %s", got.EmptyMiB, got.LoadedMiB, got.Registered.Seconds(), r.others(before)))
	r.add(what+": all their beats every 5 s", fmt.Sprintf("%.1f %% of a core", 100*got.Cores), "sustained",
		fmt.Sprintf("the beats of all took %.2f s at most", got.Longest.Seconds()))
	return nil
}

// endpointsCommand is the process with the endpoints.
func endpointsCommand(collect func(context.Context)) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "endpoints", Short: "Hold a million endpoints, and say what they cost", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			collect(cmd.Context())
			got, err := holdMillion(cmd.Context(), dir)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(got)
		},
	}
	c.Flags().StringVar(&dir, "dir", os.TempDir(), "folder for the store")
	return c
}

func holdMillion(ctx context.Context, dir string) (got millionReport, err error) {
	s, err := bolt.Open(filepath.Join(dir, "million.db"), bolt.Options{})
	if err != nil {
		return got, err
	}
	defer s.Close()
	node, err := cluster.Start(ctx, cluster.Config{Name: "million", Store: s, Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel), Kinds: []actors.Kind{service.Spec()}})
	if err != nil {
		return got, err
	}
	me := process{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}
	if got.EmptyMiB, err = me.rssMiB(); err != nil {
		return got, err
	}
	began := time.Now()
	err = eachService(func(n int) error {
		return askIn(ctx, node.Client(), n, &messages.RegisterEndpoints{Endpoints: endpoints(n)}, &messages.EndpointsRegistered{})
	})
	got.Registered = time.Since(began)
	if err == nil {
		got.Cores, got.Longest, err = beatAll(ctx, node.Client())
	}
	if err == nil {
		got.LoadedMiB, err = me.rssMiB()
	}
	if err == nil {
		debug.FreeOSMemory()
		got.RSSMiB, err = me.rssMiB()
	}
	return got, errors.Join(err, node.Stop(ctx))
}

// askIn asks the service of that number, and has the answer in answer.
func askIn(ctx context.Context, client *cluster.Client, n int, m, answer proto.Message) error {
	ctx, cancel := context.WithTimeout(ctx, registerTime)
	defer cancel()
	got, err := client.Ask(ctx, service.Ref("", "g", "s"+strconv.Itoa(n)), m)
	if err == nil {
		proto.Merge(answer, got)
	}
	return err
}

// eachService does something with every service, some at once.
func eachService(do func(n int) error) error {
	var group sync.WaitGroup
	errs := make(chan error, millionServices)
	numbers := make(chan int)
	for range registersAtOnce {
		group.Go(func() {
			for n := range numbers {
				if err := do(n); err != nil {
					errs <- err
				}
			}
		})
	}
	for n := range millionServices {
		numbers <- n
	}
	close(numbers)
	group.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// endpoints are those of one service, kept by beats; none shares a text with another.
// They wait longer for the first beat than others do: on a busy machine it takes a
// while until all of them are there.
func endpoints(of int) []*messages.Endpoint {
	all := make([]*messages.Endpoint, millionEndpoints)
	for i := range all {
		all[i] = &messages.Endpoint{
			Ip: address(i), Port: 8080, Cluster: "DEFAULT", Weight: 1, Enabled: true, Healthy: true, Dialect: "nacos",
			BeatTimeoutMs: patience.Milliseconds(), DeleteTimeoutMs: 2 * patience.Milliseconds(),
			Metadata: map[string]string{"version": fmt.Sprintf("1.%d", of)},
		}
	}
	return all
}

func address(i int) string { return fmt.Sprintf("10.0.%d.%d", i>>8, i&255) }

// beatAll beats for every endpoint, round after round, and says how many processors
// it took over the whole time and how long the longest round was. All services have
// endpoints of the same addresses, so that the keys are made once.
func beatAll(ctx context.Context, client *cluster.Client) (cores float64, longest time.Duration, err error) {
	m := &messages.RenewEndpoints{}
	for i := range millionEndpoints {
		m.Keys = append(m.Keys, &messages.EndpointKey{Ip: address(i), Port: 8080, Cluster: "DEFAULT"})
	}
	began, before := time.Now(), used()
	for n := range beatRounds {
		start := time.Now()
		err := eachService(func(n int) error {
			got := &messages.EndpointsRenewed{}
			err := askIn(ctx, client, n, m, got)
			if err == nil && len(got.GetUnknown()) > 0 {
				err = fmt.Errorf("%d endpoints are unknown", len(got.GetUnknown()))
			}
			return err
		})
		if err != nil {
			return 0, 0, err
		}
		longest = max(longest, time.Since(start))
		select {
		case <-time.After(time.Until(began.Add(time.Duration(n+1) * beatEvery))):
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	return float64(used()-before) / float64(time.Since(began)), longest, nil
}

// used is the processor time of this process.
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
