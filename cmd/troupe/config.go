package main

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"time"

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

// cloudConfig is what a process of a cloud was told: `troupe dev` or `troupe node`.
type cloudConfig struct {
	Listen, Data, Driver, LibvirtURI string
	SimHosts                         int
	HostName                         string
	InstancesShared                  string
	Zone, SchedulerMode              string
	FlatCIDR                         string
	Namespace, Bridge                string
	LogLevel, LogFile                string
	TokenLife                        time.Duration
	RatePerClient                    float64
	PProf                            string
	RegistryListen                   string
	NoAuth                           bool
	Eureka                           eurekaConfig
	Proxy                            proxyConfig
	cidr                             netip.Prefix
}

func (c *cloudConfig) flags(f *pflag.FlagSet) {
	f.StringVar(&c.Listen, "listen", defaultListen, "address of the HTTP APIs")
	f.StringVar(&c.RegistryListen, "registry-listen", defaultRegistry, "address of the registry (Nacos' API, below /nacos, and gRPC, and Eureka's, below /eureka; gRPC on the port 1000 above too); off: none")
	f.BoolVar(&c.NoAuth, "no-auth", false, "the registry asks nobody who he is: everybody on this machine may do everything; only with a loopback --registry-listen")
	c.Eureka.flags(f)
	c.Proxy.flags(f)
	f.StringVar(&c.Data, "data", defaultData, "folder of everything the cloud keeps")
	f.StringVar(&c.Driver, "driver", driverAuto, "libvirt: real machines; sim: simulated ones; auto: libvirt if --libvirt-uri is given, else sim")
	f.StringVar(&c.LibvirtURI, "libvirt-uri", "", "hypervisor, e.g. qemu+unix:///system?socket=PATH")
	f.IntVar(&c.SimHosts, "sim-hosts", 8, "how many hosts to simulate")
	f.StringVar(&c.HostName, "host-name", "", "name of the hypervisor, by default this machine's; simulated ones are NAME-1, NAME-2, ... (sim-1, sim-2, ...)")
	f.StringVar(&c.InstancesShared, "instances-shared", "", "folder for the servers' disks that other hosts reach too, at the same path; by default they are this host's own, in the data folder")
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

var (
	zoneForm = regexp.MustCompile(`^[^:/\s]{1,64}$`)
	hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$`)
)

// check refuses what cannot work, before anything is started.
func (c *cloudConfig) check() error {
	if err := c.checkAddresses(); err != nil {
		return err
	}
	if err := c.checkRegistry(); err != nil {
		return err
	}
	if err := c.checkDriver(); err != nil {
		return err
	}
	switch scheduler.Mode(c.SchedulerMode) {
	case scheduler.Filter, scheduler.Caching, scheduler.Chance:
	default:
		return badSetting("--scheduler %q: the modes are filter, caching and chance", c.SchedulerMode)
	}
	if !zoneForm.MatchString(c.Zone) {
		return badSetting("--availability-zone %q: a zone's name has 1 to 64 characters, no colon, slash or space", c.Zone)
	}
	if c.HostName != "" && !hostForm.MatchString(c.HostName) {
		return badSetting("--host-name %q: a host's name has 1 to 64 letters, digits, dots, hyphens and underscores", c.HostName)
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

func (c *cloudConfig) checkAddresses() error {
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
	return nil
}

// checkDriver also settles which driver auto is.
func (c *cloudConfig) checkDriver() error {
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
	return nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
