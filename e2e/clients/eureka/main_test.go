package eureka

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/e2e/clients/cloud"
)

func TestMain(m *testing.M) { cloud.Main(m, "eureka") }

// apiURL is the URL of Eureka's API, with the account that clients use.
func apiURL(c *cloud.Cloud, path string) string {
	u := url.URL{Scheme: "http", User: url.UserPassword(c.Username, c.Password), Host: c.Address, Path: path}
	return u.String()
}

// nacosSees says whether Nacos' clients are told of an address.
func nacosSees(c *cloud.Cloud, service, ip string) bool {
	status, body := c.Ask("GET", "/nacos/v1/ns/instance/list?healthyOnly=true&serviceName="+url.QueryEscape(service))
	return status == http.StatusOK && strings.Contains(body, `"`+ip+`"`)
}
