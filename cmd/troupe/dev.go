package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/drivers/libvirt/flatnet"
)

// The drivers of --driver.
const (
	driverAuto    = "auto"
	driverLibvirt = "libvirt"
	driverSim     = "sim"
)

// Defaults and limits of the settings.
const (
	defaultListen = "127.0.0.1:8774"
	defaultData   = "run"
	storeFile     = "troupe.db" // in the data folder

	maxSimHosts = 20000
	// stopTimeout is how long SIGTERM waits for requests, orders and commits.
	stopTimeout = 20 * time.Second
)

// devConfig is what `troupe dev` was told.
type devConfig struct {
	Listen, Data, Driver, LibvirtURI string
	SimHosts                         int
	Zone, SchedulerMode              string
	FlatCIDR                         string
	Namespace, Bridge                string
	LogLevel, LogFile                string
	TokenLife                        time.Duration
	RatePerClient                    float64
	PProf                            string
	cidr                             netip.Prefix
}

func (c *devConfig) flags(f *pflag.FlagSet) {
	f.StringVar(&c.Listen, "listen", defaultListen, "address of the HTTP APIs")
	f.StringVar(&c.Data, "data", defaultData, "folder of everything the cloud keeps")
	f.StringVar(&c.Driver, "driver", driverAuto, "libvirt: real machines; sim: simulated ones; auto: libvirt if --libvirt-uri is given, else sim")
	f.StringVar(&c.LibvirtURI, "libvirt-uri", "", "hypervisor, e.g. qemu+unix:///system?socket=PATH")
	f.IntVar(&c.SimHosts, "sim-hosts", 8, "how many hosts to simulate")
	f.StringVar(&c.Zone, "availability-zone", "nova", "zone of the hosts")
	f.StringVar(&c.SchedulerMode, "scheduler", string(scheduler.Filter), "filter, caching or chance")
	f.StringVar(&c.FlatCIDR, "flat-cidr", network.DefaultFlatCIDR, "addresses of the network that a new cloud has")
	f.StringVar(&c.Namespace, "netns", flatnet.DefaultNamespace, "network namespace of the guests; libvirtd runs in it")
	f.StringVar(&c.Bridge, "bridge", flatnet.DefaultBridge, "bridge of the guests, in the namespace")
	f.DurationVar(&c.TokenLife, "token-life", 12*time.Hour, "how long a token is valid")
	f.Float64Var(&c.RatePerClient, "rate-per-client", 0, "requests a second that one address may make; 0: no limit")
	f.StringVar(&c.LogLevel, "log-level", "info", "trace, debug, info, warn or error; SIGHUP reads it again")
	f.StringVar(&c.LogFile, "log-file", "", "file to log to, rotated; by default standard error")
	f.StringVar(&c.PProf, "pprof", "", "loopback address for Go's profiler; by default it is off")
}

var zoneForm = regexp.MustCompile(`^[^:/\s]{1,64}$`)

// check refuses what cannot work, before anything is started.
func (c *devConfig) check() error {
	for _, address := range []struct{ flag, value string }{{"--listen", c.Listen}, {"--pprof", c.PProf}} {
		if address.value == "" && address.flag == "--pprof" {
			continue
		}
		if _, err := net.ResolveTCPAddr("tcp", address.value); err != nil {
			return badSetting("%s %q is not HOST:PORT: %w", address.flag, address.value, err)
		}
	}
	if host, _, _ := net.SplitHostPort(c.PProf); c.PProf != "" && !isLoopback(host) {
		return badSetting("--pprof %q: the profiler asks for no password, so its address has to be loopback", c.PProf)
	}
	switch c.Driver {
	case driverAuto:
		c.Driver = driverSim
		if c.LibvirtURI != "" {
			c.Driver = driverLibvirt
		}
	case driverLibvirt:
		if c.LibvirtURI == "" {
			return badSetting("--driver libvirt needs --libvirt-uri")
		}
	case driverSim:
		if c.LibvirtURI != "" {
			return badSetting("--libvirt-uri is of no use with --driver sim")
		}
	default:
		return badSetting("--driver %q: the drivers are auto, libvirt and sim", c.Driver)
	}
	if _, err := url.Parse(c.LibvirtURI); err != nil {
		return badSetting("--libvirt-uri: %w", err)
	}
	if c.SimHosts < 1 || c.SimHosts > maxSimHosts {
		return badSetting("--sim-hosts %d: from 1 to %d hosts can be simulated", c.SimHosts, maxSimHosts)
	}
	switch scheduler.Mode(c.SchedulerMode) {
	case scheduler.Filter, scheduler.Caching, scheduler.Chance:
	default:
		return badSetting("--scheduler %q: the modes are filter, caching and chance", c.SchedulerMode)
	}
	if !zoneForm.MatchString(c.Zone) {
		return badSetting("--availability-zone %q: a zone's name has 1 to 64 characters, no colon, slash or space", c.Zone)
	}
	cidr, err := netip.ParsePrefix(c.FlatCIDR)
	if err != nil || !cidr.Addr().Is4() || cidr.Bits() < 8 || cidr.Bits() > 30 {
		return badSetting("--flat-cidr %q is not an IPv4 subnet from /8 to /30", c.FlatCIDR)
	}
	c.cidr = cidr.Masked()
	if c.RatePerClient < 0 {
		return badSetting("--rate-per-client %v is negative", c.RatePerClient)
	}
	if c.TokenLife < time.Minute {
		return badSetting("--token-life %v is less than a minute", c.TokenLife)
	}
	return nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func devCommand() *cobra.Command {
	var config devConfig
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
func runDev(cmd *cobra.Command, config devConfig, log zerolog.Logger, began time.Time) error {
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

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
