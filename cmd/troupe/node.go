package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/view"
)

// defaultBind is where nodes reach each other, unless --bind says otherwise.
const defaultBind = "127.0.0.1:7774"

// nodeConfig is what `troupe node` was told.
type nodeConfig struct {
	cloudConfig
	Consul          consulFlags
	Images          imageStore
	Name, Bind      string
	Advertise, Join string
	Roles           []string
	Protocol        uint32

	roles  view.Role
	consul consul.Config
}

func (c *nodeConfig) flags(f *pflag.FlagSet) {
	c.cloudConfig.flags(f)
	c.Consul.flags(f)
	c.Images.flags(f)
	f.StringVar(&c.Name, "name", "", "name of this node, unique in the cluster")
	f.StringVar(&c.Bind, "bind", defaultBind, "address at which the other nodes reach this one")
	f.StringVar(&c.Advertise, "advertise", "", "the same as others see it, where it differs from --bind")
	f.StringSliceVar(&c.Roles, "roles", pki.Roles(), "gateway: serve the APIs; control: run actors; compute: drive hypervisors")
	f.Uint32Var(&c.Protocol, "protocol", peer.Protocol, "newest protocol to speak with other nodes, and so the newest format to store things in;\n"+
		"an older one, on one node at least, keeps the way back to the program before open")
	f.StringVar(&c.Join, "join", "", "token that admits this node at its first start; - reads it from standard input")
}

// check refuses what cannot work, before anything is started.
func (c *nodeConfig) check() (err error) {
	if c.HostName == "" && c.Driver != driverLibvirt && c.LibvirtURI == "" {
		c.HostName = c.Name + "-sim"
	}
	if err := c.cloudConfig.check(); err != nil {
		return err
	}
	if err := pki.CheckName(c.Name); err != nil {
		return settingError{fmt.Errorf("--name: %w", err)}
	}
	if c.roles, err = view.ParseRoles(strings.Join(c.Roles, ",")); err != nil {
		return settingError{fmt.Errorf("--roles: %w", err)}
	}
	for _, address := range []struct{ flag, value string }{{"--bind", c.Bind}, {"--advertise", c.Advertise}} {
		if address.value == "" && address.flag == "--advertise" {
			continue
		}
		if _, err := net.ResolveTCPAddr("tcp", address.value); err != nil {
			return badSetting("%s %q is not HOST:PORT: %w", address.flag, address.value, err)
		}
	}
	if c.Protocol < peer.MinProtocol || c.Protocol > peer.Protocol {
		return badSetting("--protocol %d: this program speaks %d to %d", c.Protocol, peer.MinProtocol, peer.Protocol)
	}
	if host, _, _ := net.SplitHostPort(c.Bind); c.Advertise == "" && (host == "" || net.ParseIP(host).IsUnspecified()) {
		return badSetting("--bind %q: the other nodes cannot dial that; say with --advertise HOST:PORT where they reach this one", c.Bind)
	}
	if c.Advertise == "" {
		c.Advertise = c.Bind
	}
	if err := c.Images.check(); err != nil {
		return err
	}
	c.consul, err = c.Consul.config(os.Getenv)
	return err
}

func nodeCommand() *cobra.Command {
	var config nodeConfig
	return processCommand(&cobra.Command{
		Use: "node", Short: "Run one node of a cluster", Args: cobra.NoArgs, GroupID: "cloud",
		Long: "Run one node of a cluster: its members find each other through Consul, whose key-value store is where\n" +
			"the state of everything is kept. More capacity is another node.\n\n" +
			"The first node is made with `troupe cluster init`; every other one is admitted with a token\n" +
			"(`troupe cluster token create`), given once as --join. Between nodes everything is mutual TLS.\n" +
			"SIGTERM hands over what lives here and leaves; machines go on running.\n\n" +
			"Every flag may also be a TROUPE_* variable (TROUPE_JOIN=...) or a line of the --config file.",
		Example: "  troupe node --name n2 --consul 10.0.0.1:8500/prod --bind 10.0.0.2:7774 --listen 10.0.0.2:8774 \\\n" +
			"    --registry-listen 10.0.0.2:8848 --data /var/lib/troupe --join \"$TOKEN\" --libvirt-uri qemu:///system",
	}, processSettings{
		flags: config.flags,
		check: config.check,
		log:   func() (file, level string) { return config.LogFile, config.LogLevel },
		start: func(cmd *cobra.Command, log zerolog.Logger) (*cloud, error) {
			var err error
			if config.Join != "" {
				if config.Join, err = tokenOf(cmd.InOrStdin(), config.Join); err != nil {
					return nil, err
				}
			}
			return startMember(cmd.Context(), config, log)
		},
	})
}

// processSettings is what differs between the commands that run a cloud.
type processSettings struct {
	flags func(*pflag.FlagSet)
	check func() error
	log   func() (file, level string)
	start func(*cobra.Command, zerolog.Logger) (*cloud, error)
}

// processCommand makes c a command that runs a cloud until it is told to stop.
func processCommand(c *cobra.Command, s processSettings) *cobra.Command {
	var file string
	s.flags(c.Flags())
	c.Flags().StringVar(&file, "config", "", "YAML file of settings (TROUPE_CONFIG)")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		began := time.Now()
		path := first(file, os.Getenv("TROUPE_CONFIG"))
		settings, err := readSettings(path)
		if err == nil {
			err = settle(cmd.Flags(), os.Getenv, settings)
		}
		if err == nil {
			err = s.check()
		}
		if err != nil {
			return err
		}
		log, closeLog, err := newLog(s.log())
		if err != nil {
			return err
		}
		defer closeLog.Close()
		stop := rereadLevel(path, log)
		defer stop()
		tuneCollector(cmd.Context())
		cloud, err := s.start(cmd, log)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s in %.1f s\n", cloud.readyLine(), time.Since(began).Seconds())
		return cloud.serveUntil(cmd.Context())
	}
	return c
}

// readyLine says where the cloud answers, and of what it is made.
func (c *cloud) readyLine() string {
	if c.member == nil {
		return fmt.Sprintf("troupe is ready on %s (data %s, %s%s)", c.url, c.config.Data, c.hypervisors, c.registry.line())
	}
	m := c.member
	where, what := c.url, []string{"node " + m.config.Name, "cluster " + m.identity.source.Cluster(), "peers " + m.config.Advertise, "roles " + m.roles.String()}
	if where == "" {
		where = m.config.Advertise
	}
	if c.hypervisors != "" {
		what = append(what, c.hypervisors)
	}
	return fmt.Sprintf("troupe is ready on %s (%s%s)", where, strings.Join(what, ", "), c.registry.line())
}

// serveUntil waits until ctx ends, or the cloud cannot go on, and stops it.
func (c *cloud) serveUntil(ctx context.Context) (failed error) {
	select {
	case <-ctx.Done():
	case <-c.told:
		c.log.Info().Msg("told to leave")
	case failed = <-c.failed:
		c.log.Error().Err(failed).Msg("the cloud cannot go on")
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := c.stop(ctx); err != nil {
		c.log.Warn().Err(err).Msg("not everything ended in order; it goes on after the next start")
	}
	return failed
}
