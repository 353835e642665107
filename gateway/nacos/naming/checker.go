package naming

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// Types of health checks.
const (
	checkTCP  = "TCP"
	checkHTTP = "HTTP"
	checkNone = "NONE"
)

const (
	// maxCheckerBytes bounds the JSON of a health check.
	maxCheckerBytes = 12*(service.MaxCheckPathChars+service.MaxCheckHeadersChars) + 1024
	// shownPort is the port that Nacos shows of a check that has none of its own.
	shownPort = 80
)

// parseChecker reads a health check.
func parseChecker(raw string) (*messages.HealthCheck, error) {
	if len(raw) > maxCheckerBytes {
		return nil, api.ParameterInvalid.Errorf("Param 'healthChecker' is longer than %d bytes", maxCheckerBytes)
	}
	if plain, err := url.QueryUnescape(raw); err == nil && len(raw) > 0 && raw[0] == '%' {
		raw = plain
	}
	check, s := &messages.HealthCheck{}, wire.Scan([]byte(raw))
	for inside := s.Object(); inside; {
		var key []byte
		if key, inside = s.Field(); !inside {
			break
		}
		switch string(key) {
		case "type":
			check.Type = strings.ToUpper(s.Text())
		case "path":
			check.Path = s.Text()
		case "headers":
			check.Headers = s.Text()
		case "expectedResponseCode":
			if code := s.Int(1000); code > 0 {
				check.ExpectedCodes = []int32{int32(code)}
			}
		default:
			s.Skip()
		}
	}
	if err := s.End(); err != nil {
		return nil, api.ParameterInvalid.Errorf("Param 'healthChecker' is illegal: %w", err)
	}
	switch check.Type {
	case checkTCP, checkHTTP, checkNone:
		return check, nil
	}
	return nil, api.ParameterInvalid.Errorf("there is no health check of the type %s: TCP, HTTP and NONE are offered", api.Short(check.Type))
}

// checkerView is a health check as clients see it.
type checkerView struct {
	Type    string  `json:"type"`
	Path    *string `json:"path,omitempty"`
	Headers *string `json:"headers,omitempty"`
	Code    int32   `json:"expectedResponseCode,omitempty"`
}

func checkerOf(c *messages.HealthCheck) checkerView {
	switch c.GetType() {
	case "":
		return checkerView{Type: checkTCP}
	case checkHTTP:
		path, headers := c.GetPath(), c.GetHeaders()
		view := checkerView{Type: checkHTTP, Path: &path, Headers: &headers, Code: 200}
		if codes := c.GetExpectedCodes(); len(codes) > 0 {
			view.Code = codes[0]
		}
		return view
	}
	return checkerView{Type: c.GetType()}
}

// checkPort is which port a cluster is checked at.
func checkPort(c *messages.HealthCheck) (port int, own bool) {
	if c == nil || c.GetPort() == 0 || c.GetUseEndpointPort() {
		port = int(c.GetPort())
		if port == 0 {
			port = shownPort
		}
		return port, true
	}
	return int(c.GetPort()), false
}

// checkers are the health checks that there are, each as it is by default.
func (a *API) checkers(*api.Request) (api.Answer, error) {
	empty := ""
	return api.Answer{Data: map[string]checkerView{
		checkTCP: {Type: checkTCP}, checkHTTP: {Type: checkHTTP, Path: &empty, Headers: &empty, Code: 200}, checkNone: {Type: checkNone},
	}}, nil
}

// setCluster says how the instances of a cluster are checked.
func (a *API) setCluster(r *api.Request) (api.Answer, error) {
	k, err := r.ServiceKey()
	if err != nil {
		return api.Answer{}, err
	}
	v := r.Values()
	cluster := v.Need("clusterName")
	v.Fail(api.CheckCluster(cluster))
	port, own := v.NeedInt("checkPort"), v.Text("useInstancePort4Check")
	v.Need("useInstancePort4Check")
	if port < 0 || port > api.MaxPort {
		v.Fail(api.ParameterInvalid.Errorf("Param 'checkPort' is %s, which is no port", strconv.Itoa(port)))
	}
	check, err := parseChecker(v.Need("healthChecker"))
	v.Fail(err)
	given := metadata(v, api.ParameterInvalid)
	useOwn := own != "" && v.Bool(true, "useInstancePort4Check")
	if err := v.Err(); err != nil {
		return api.Answer{}, err
	}
	check.Port, check.UseEndpointPort = int32(port), useOwn
	_, err = a.Cloud.Ask(r.Context(), ref(k), &messages.SetCluster{Cluster: cluster, Check: check, Metadata: given})
	return fine, as(err, messages.NotFound, api.ServiceNotFound)
}
