package main

import (
	"context"
	"net"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/view"
)

// consulTokenVariable holds the token of Consul's access control. It is no flag:
// the command lines of a machine can be read by all its users.
const consulTokenVariable = "TROUPE_CONSUL_TOKEN"

// consulFlags say which Consul, and as whom. Every command that needs the
// cluster's state takes them.
type consulFlags struct {
	Address       string // HOST:PORT[,HOST:PORT...][/PREFIX]
	CA, Cert, Key string
}

func (c *consulFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&c.Address, "consul", "", "Consul, and the folder in it: HOST:PORT[,HOST:PORT...][/PREFIX]; its token is "+consulTokenVariable)
	f.StringVar(&c.CA, "consul-ca", "", "file of the authority that Consul's certificate is from; with it, the connection is TLS")
	f.StringVar(&c.Cert, "consul-cert", "", "file of the certificate to show to Consul")
	f.StringVar(&c.Key, "consul-key", "", "file of that certificate's private key")
}

// config is what the flags say. It does not dial.
func (c *consulFlags) config(getenv func(string) string) (consul.Config, error) {
	addresses, prefix, _ := strings.Cut(c.Address, "/")
	if addresses == "" {
		return consul.Config{}, badSetting("--consul HOST:PORT[,HOST:PORT...][/PREFIX] is needed")
	}
	for a := range strings.SplitSeq(addresses, ",") {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			return consul.Config{}, badSetting("--consul %q: %q is not HOST:PORT", c.Address, a)
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		return consul.Config{}, badSetting("--consul-cert and --consul-key belong together")
	}
	if c.Cert != "" && c.CA == "" {
		return consul.Config{}, badSetting("--consul-cert needs --consul-ca: Consul's own certificate is to be checked too")
	}
	return consul.Config{
		Address: addresses, Prefix: prefix, Token: getenv(consulTokenVariable),
		TLS: consul.TLS{CA: c.CA, Cert: c.Cert, Key: c.Key},
	}, nil
}

// open connects to the store. Writer names who writes, a node's name; "" is a
// command that comes and goes.
func (c *consulFlags) open(ctx context.Context, writer string) (*consul.Store, error) {
	config, err := c.config(os.Getenv)
	if err != nil {
		return nil, err
	}
	config.Writer = writer
	return consul.Open(ctx, config)
}

// members are those that the member table has now.
func (c *consulFlags) members(ctx context.Context) ([]view.Member, error) {
	config, err := c.config(os.Getenv)
	if err != nil {
		return nil, err
	}
	table, err := membership.NewConsul(membership.ConsulConfig{Config: config})
	if err != nil {
		return nil, err
	}
	defer table.Close()
	v, err := table.Watch(ctx, 0)
	if err != nil {
		return nil, err
	}
	return v.Members, nil
}
