package eureka

import (
	"maps"
	"slices"
	"strconv"

	"github.com/troupe-cloud/troupe/messages/encode"
)

// appendJSON writes an instance. The order of the fields is the original's.
func appendJSON(b []byte, i *instance, action string, compact bool) []byte {
	w := jsonWriter{append(b, '{')}
	w.text("instanceId", i.ID)
	w.text("hostName", i.Host)
	w.text("app", i.App)
	w.text("ipAddr", i.IP)
	if !compact && i.SID != "" && i.SID != noSID {
		w.text("sid", i.SID)
	}
	w.text("status", i.Status)
	if !compact {
		w.text("overriddenstatus", i.Override)
	}
	w.port("port", i.Port)
	w.port("securePort", i.Secure)
	if !compact {
		w.number("countryId", i.Country)
	}
	w.center(i.Center)
	if !compact {
		w.rest(i)
	}
	w.textIf("vipAddress", i.VIP)
	w.textIf("secureVipAddress", i.SVIP)
	if !compact {
		w.quoted("isCoordinatingDiscoveryServer", strconv.FormatBool(i.Coordinating))
		w.quoted("lastUpdatedTimestamp", strconv.FormatInt(i.Updated, 10))
		w.quoted("lastDirtyTimestamp", strconv.FormatInt(i.Dirty, 10))
	}
	w.textIf("asgName", i.ASG)
	if !compact {
		w.text("appGroupName", i.Group)
	}
	w.text("actionType", action)
	return append(w.b, '}')
}

type jsonWriter struct{ b []byte }

func (w *jsonWriter) key(name string) {
	if c := w.b[len(w.b)-1]; c != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), name...), `":`...)
}

func (w *jsonWriter) text(name, s string) {
	w.key(name)
	w.b = encode.AppendLoose(w.b, s)
}

func (w *jsonWriter) textIf(name, s string) {
	if s != "" {
		w.text(name, s)
	}
}

// quoted writes what needs no escapes.
func (w *jsonWriter) quoted(name, s string) {
	w.key(name)
	w.b = append(append(append(w.b, '"'), s...), '"')
}

func (w *jsonWriter) number(name string, n int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *jsonWriter) port(name string, p port) {
	w.key(name)
	w.b = append(w.b, '{')
	w.number("$", int64(p.Number))
	w.quoted("@enabled", strconv.FormatBool(p.Enabled))
	w.b = append(w.b, '}')
}

func (w *jsonWriter) center(c center) {
	w.key("dataCenterInfo")
	w.b = append(w.b, '{')
	w.text("@class", c.Class)
	w.text("name", c.Name)
	if len(c.Metadata) > 0 {
		w.pairs("metadata", c.Metadata)
	}
	w.b = append(w.b, '}')
}

func (w *jsonWriter) pairs(name string, m map[string]string) {
	w.key(name)
	w.b = append(w.b, '{')
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if w.b[len(w.b)-1] != '{' {
			w.b = append(w.b, ',')
		}
		w.b = append(encode.AppendLoose(w.b, k), ':')
		w.b = encode.AppendLoose(w.b, m[k])
	}
	w.b = append(w.b, '}')
}

// rest writes what a compact instance has not.
func (w *jsonWriter) rest(i *instance) {
	w.key("leaseInfo")
	w.b = append(w.b, '{')
	w.number("renewalIntervalInSecs", i.Lease.Renewal)
	w.number("durationInSecs", i.Lease.Duration)
	w.number("registrationTimestamp", i.Lease.Registered)
	w.number("lastRenewalTimestamp", i.Lease.Renewed)
	w.number("evictionTimestamp", 0)
	w.number("serviceUpTimestamp", i.Lease.Upon)
	w.b = append(w.b, '}')
	if len(i.Metadata) > 0 {
		w.pairs("metadata", i.Metadata)
	} else {
		w.key("metadata")
		w.b = append(w.b, `{"@class":"`+emptyMap+`"}`...)
	}
	w.textIf("homePageUrl", i.Home)
	w.textIf("statusPageUrl", i.StatusPage)
	w.textIf("healthCheckUrl", i.Health)
	w.textIf("secureHealthCheckUrl", i.SecureHealth)
}
