package nacos

import (
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/troupe-cloud/troupe/e2e/clients/cloud"
)

// TestMain: the test's own binary is the Go clients too.
func TestMain(m *testing.M) {
	if raw := os.Getenv(accessVariable); raw != "" {
		beClient(raw)
		return
	}
	cloud.Main(m, "nacos")
}

// accessTo is how a kind of client gets in.
func accessTo(t *testing.T, c *cloud.Cloud, kind string) access {
	t.Helper()
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return access{Kind: kind, Host: host, Port: n, Username: c.Username, Password: c.Password}
}
