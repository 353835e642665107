package main

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) { // table: one row, one import
	for name, tt := range map[string]struct {
		here, imports string
		test          bool
		want          string // part of the sentence; empty: fine
	}{
		"to the left":                       {"gateway/openstack/compute", module + "/messages", false, ""},
		"in the same room":                  {"cluster", module + "/cluster/store", false, ""},
		"to the right":                      {"actors/host", module + "/cluster", false, "stands to its right"},
		"to the right in a test":            {"actors/host", module + "/cluster", true, "stands to its right"},
		"messages import nothing":           {"messages", module + "/drivers", false, "stands to its right"},
		"no room of that name":              {"util", "fmt", false, "has no place"},
		"the runtime in cluster":            {"cluster", "github.com/asynkron/protoactor-go/actor", false, ""},
		"the runtime elsewhere":             {"gateway", "github.com/asynkron/protoactor-go/actor", false, "only cluster"},
		"the runtime in a test elsewhere":   {"cmd/troupe", "github.com/asynkron/protoactor-go/actor", true, "only cluster"},
		"libvirt in its driver":             {"drivers/libvirt", "libvirt.org/go/libvirtxml", false, ""},
		"libvirt in another driver":         {"drivers/sim", "libvirt.org/go/libvirt", false, "only drivers/libvirt"},
		"a lock in a decision":              {"actors/host", "sync", false, "a decision may not import sync"},
		"a socket in a decision":            {"actors/host", "net", false, "a decision may not import net"},
		"an address in a decision is fine":  {"actors/network", "net/netip", false, ""},
		"a file in the test of a decision":  {"actors/host", "os", true, ""},
		"the simulator may throw dice":      {"actors/sim", "math/rand/v2", false, ""},
		"a logger in a decision":            {"actors", "github.com/rs/zerolog", false, "may not import"},
		"a logger in the runtime":           {"cluster", "github.com/rs/zerolog", false, ""},
		"a client and the transport":        {"client", module + "/cluster/peer", false, ""},
		"a client and the runtime":          {"client", module + "/cluster", false, "only client, messages"},
		"a client and a dialect":            {"client", module + "/gateway/native", false, "only client, messages"},
		"the test of a client and a node":   {"client", module + "/cluster", true, ""},
		"the balancer and the cluster":      {"balancer", module + "/cluster", false, "only balancer"},
		"a dialect and the balancer":        {"gateway/proxy", module + "/balancer", false, ""},
		"an example and the library":        {"examples/watchserver", module + "/client", false, ""},
		"an example and the transport":      {"examples/watchserver", module + "/cluster/peer", false, "only examples, client"},
		"the transport and the runtime":     {"cluster/peer", "github.com/asynkron/protoactor-go/actor", false, "client programs"},
		"its test and the runtime":          {"cluster/peer", "github.com/asynkron/protoactor-go/actor", true, ""},
		"a measurement and the runtime":     {"cluster/peer/rates", "github.com/asynkron/protoactor-go/actor", false, ""},
		"a client of the client":            {"gateway/native", module + "/client", false, "stands to its right"},
		"a name that only begins like ours": {"actors/host", "nettle", false, ""},
	} {
		p := pkg{ImportPath: module + "/" + tt.here}
		if tt.test {
			p.TestImports = []string{tt.imports}
		} else {
			p.Imports = []string{tt.imports}
		}
		got := strings.Join(check(p), "\n")
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestImpurities(t *testing.T) { // table: one row, one statement
	for statement, want := range map[string]string{
		"_ = time.Now()":            "time.Now",
		"time.Sleep(1)":             "time.Sleep",
		"go f()":                    "goroutine",
		"select {}":                 "select",
		"var c chan int; _ = c":     "channel",
		"_ = time.Duration(1)":      "",
		"_ = in.Now":                "",
		"_ = time.Unix(0, 1).UTC()": "",
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "x.go", "package x\nfunc f() { "+statement+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(impurities(fset, file), "\n")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", statement, got, want)
		}
	}
}
