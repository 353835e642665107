package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

func devCommand() *cobra.Command {
	var config cloudConfig
	var file string
	c := &cobra.Command{
		Use: "dev", Short: "Run a whole cloud in this process", Args: cobra.NoArgs, GroupID: "cloud",
		Long: "Run a whole cloud in this process, with its state in one folder.\n\n" +
			"On its first start it writes openrc, clouds.yaml and credentials.json into that folder. It says on\n" +
			"standard output when it is ready. SIGTERM and Ctrl-C end it in order; machines go on running.\n\n" +
			"Every flag may also be a TROUPE_* variable (TROUPE_SIM_HOSTS=3) or a line of the --config file\n" +
			"(sim-hosts: 3). Flags go before variables, and those before the file.",
		Example: "  troupe dev --driver sim --sim-hosts 200\n" +
			"  troupe dev --libvirt-uri 'qemu+unix:///system?socket=/run/libvirt/libvirt-sock'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			began := time.Now()
			path := first(file, os.Getenv("TROUPE_CONFIG"))
			settings, err := readSettings(path)
			if err == nil {
				err = settle(cmd.Flags(), os.Getenv, settings)
			}
			if err == nil {
				err = config.check()
			}
			if err != nil {
				return err
			}
			log, closeLog, err := newLog(config.LogFile, config.LogLevel)
			if err != nil {
				return err
			}
			defer closeLog.Close()
			stop := rereadLevel(path, log)
			defer stop()
			return runDev(cmd, config, log, began)
		},
	}
	config.flags(c.Flags())
	c.Flags().StringVar(&file, "config", "", "YAML file of settings (TROUPE_CONFIG)")
	return c
}

// runDev runs the cloud until the command's context ends.
func runDev(cmd *cobra.Command, config cloudConfig, log zerolog.Logger, began time.Time) error {
	tuneCollector()
	cloud, err := startCloud(cmd.Context(), config, log)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "troupe is ready on %s (data %s, %s) in %.1f s\n",
		cloud.url, config.Data, cloud.hypervisors, time.Since(began).Seconds())
	var failed error
	select {
	case <-cmd.Context().Done():
	case failed = <-cloud.failed:
		log.Error().Err(failed).Msg("the cloud cannot go on")
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := cloud.stop(ctx); err != nil {
		log.Warn().Err(err).Msg("not everything ended in order; it goes on after the next start")
	}
	return failed
}

// rereadLevel changes the log level at SIGHUP to what the settings file says now.
func rereadLevel(path string, log zerolog.Logger) (stop func()) {
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-hups:
			}
			settings, err := readSettings(path)
			level, ok := settings["log-level"]
			if err == nil && ok {
				err = levels{}.SetLevel(level)
			}
			log.Info().Err(err).Str("level", levels{}.Level()).Msg("log level read again")
		}
	}()
	return func() {
		signal.Stop(hups)
		close(done)
	}
}
