package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

func devCommand() *cobra.Command {
	var config cloudConfig
	return processCommand(&cobra.Command{
		Use: "dev", Short: "Run a whole cloud in this process", Args: cobra.NoArgs, GroupID: "cloud",
		Long: "Run a whole cloud in this process, with its state in one folder.\n\n" +
			"On its first start it writes openrc, clouds.yaml and credentials.json into that folder. It says on\n" +
			"standard output when it is ready. SIGTERM and Ctrl-C end it in order; machines go on running.\n\n" +
			"Every flag may also be a TROUPE_* variable (TROUPE_SIM_HOSTS=3) or a line of the --config file\n" +
			"(sim-hosts: 3). Flags go before variables, and those before the file.",
		Example: "  troupe dev --driver sim --sim-hosts 200\n" +
			"  troupe dev --libvirt-uri 'qemu+unix:///system?socket=/run/libvirt/libvirt-sock'",
	}, processSettings{
		flags: config.flags,
		check: config.check,
		log:   func() (file, level string) { return config.LogFile, config.LogLevel },
		start: func(cmd *cobra.Command, log zerolog.Logger) (*cloud, error) {
			return startCloud(cmd.Context(), config, log)
		},
	})
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
