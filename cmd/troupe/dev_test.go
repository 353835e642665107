package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestCheck(t *testing.T) { // table: one row, one command line
	for name, tt := range map[string]struct {
		args string
		want string // part of the sentence; empty: fine
	}{
		"the defaults":                   {"", ""},
		"a real hypervisor":              {"--libvirt-uri qemu+unix:///system?socket=/x", ""},
		"an address without a port":      {"--listen localhost", "HOST:PORT"},
		"no such driver":                 {"--driver xen", "auto, libvirt and sim"},
		"libvirt without an address":     {"--driver libvirt", "needs --libvirt-uri"},
		"an address that nobody asks":    {"--driver sim --libvirt-uri x", "of no use"},
		"no hosts":                       {"--sim-hosts 0", "from 1 to"},
		"too many hosts":                 {"--sim-hosts 1000000", "from 1 to"},
		"no such mode":                   {"--scheduler best", "filter, caching and chance"},
		"a zone with a colon":            {"--availability-zone a:b", "zone's name"},
		"a network of one address":       {"--flat-cidr 10.0.0.1/32", "/8 to /30"},
		"a network of another family":    {"--flat-cidr fd00::/64", "IPv4"},
		"a negative rate":                {"--rate-per-client -1", "negative"},
		"tokens that end at once":        {"--token-life 1s", "less than a minute"},
		"a profiler for everybody":       {"--pprof 0.0.0.0:6060", "loopback"},
		"a profiler here":                {"--pprof 127.0.0.1:6060", ""},
		"a profiler without an address":  {"--pprof :6060", "loopback"},
		"a profiler by name":             {"--pprof localhost:6060", ""},
		"a network in the middle of one": {"--flat-cidr 10.1.2.3/16", ""},
		"no registry":                    {"--registry-listen off --no-auth", ""},
		"a registry without a port":      {"--registry-listen localhost", "HOST:PORT"},
		"no port above for gRPC":         {"--registry-listen 127.0.0.1:64536", "64535 at most"},
		"an open registry here":          {"--no-auth", ""},
		"an open registry for everybody": {"--no-auth --registry-listen 0.0.0.0:8848", "loopback addresses only"},
		"an open registry on all":        {"--no-auth --registry-listen :8848", "loopback addresses only"},
	} {
		var c cloudConfig
		flags := pflag.NewFlagSet("dev", pflag.ContinueOnError)
		c.flags(flags)
		if err := flags.Parse(strings.Fields(tt.args)); err != nil {
			t.Fatal(err)
		}
		err := c.check()
		var bad settingError
		if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

func TestEveryFlagIsASetting(t *testing.T) {
	c := devCommand()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Usage == "" || strings.ToLower(f.Name) != f.Name {
			t.Errorf("--%s: %q", f.Name, f.Usage)
		}
	})
	if err := settle(c.Flags(), func(string) string { return "" }, map[string]string{"listen": "127.0.0.1:1"}); err != nil {
		t.Error(err)
	}
	if got := c.Flags().Lookup("listen").Value.String(); got != "127.0.0.1:1" {
		t.Errorf("got %s", got)
	}
}
