package console

import (
	"net"
	"net/http"
	"strconv"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// retentionDays is how long the history of configs is kept; actors/config keeps it.
const retentionDays = 30

// state is what tools look at before they ask anything else. All values are texts.
func (a *API) state() map[string]string {
	_, port, _ := net.SplitHostPort(a.Address)
	mode := "cluster"
	if len(a.members()) < 2 {
		mode = "standalone"
	}
	return map[string]string{
		"version": Level, "server": "troupe", "troupe_version": a.Version,
		"standalone_mode": mode, "startup_mode": mode, "function_mode": "All", "server_port": port,
		"auth_enabled": strconv.FormatBool(!a.Open), "auth_system_type": "nacos", "auth_admin_request": "false",
		"console_ui_enabled": "false", "login_page_enabled": strconv.FormatBool(!a.Open),
		"datasource_platform": "embedded", "plugin_datasource_log_enabled": "false",
		"config_retention_days": strconv.Itoa(retentionDays), "defaultMaxSize": strconv.Itoa(defaultMaxSize),
		"defaultMaxAggrSize": "1024", "defaultMaxAggrCount": "10000", "defaultClusterQuota": "100000", "defaultGroupQuota": "200",
		"isManageCapacity": "false", "isCapacityLimitCheck": "false", "isHealthCheck": "true",
	}
}

// defaultMaxSize is the soft limit of a content that holds when capacities are
// checked, which they are not: 100 KiB.
const defaultMaxSize = 100 << 10

func (a *API) showState(r *api.Request) (api.Answer, error) {
	a.nodesNow(r.Context()) // to know how many there are
	return api.Answer{Data: a.state()}, nil
}

// bare makes the answer of handle one that is never wrapped.
func bare(handle api.Handler) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		answer, err := handle(r)
		answer.Bare, answer.Data = answer.Data, nil
		return answer, err
	}
}

func (a *API) announcement(*api.Request) (api.Answer, error) {
	return api.Answer{Data: "This registry is served by Troupe " + a.Version + "."}, nil
}

func (a *API) guide(*api.Request) (api.Answer, error) {
	return api.Answer{Data: "The cloud has no page of Nacos; its services and configs are reached by this API, by Nacos' clients and by the command troupe."}, nil
}

// readiness says whether requests can be worked on; why not is in the log.
func (a *API) readiness(ok string) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		if !a.ready(r.Context()) {
			return api.Answer{}, api.Text(http.StatusInternalServerError, "the store does not answer")
		}
		return api.Answer{Data: ok}, nil
	}
}

// setLevel changes what is logged. All parts log at one level, so the name of a
// log that clients send says nothing here.
func (a *API) setLevel(answer any) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		v := r.Values()
		_, level := v.Need("logName"), v.Need("logLevel")
		if v.Err() != nil || a.Levels == nil {
			return api.Answer{}, v.Err()
		}
		return api.Answer{Data: answer}, a.Levels.SetLevel(level)
	}
}
