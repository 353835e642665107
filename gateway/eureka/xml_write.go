package eureka

import (
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// appendXML writes an instance. The order of the elements is the original's.
func appendXML(b []byte, i *instance, action string, compact bool) []byte {
	w := xmlWriter{append(b, "<instance>"...)}
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
		w.text("isCoordinatingDiscoveryServer", strconv.FormatBool(i.Coordinating))
		w.number("lastUpdatedTimestamp", i.Updated)
		w.number("lastDirtyTimestamp", i.Dirty)
	}
	w.textIf("asgName", i.ASG)
	if !compact {
		w.text("appGroupName", i.Group)
	}
	w.text("actionType", action)
	return append(w.b, "</instance>"...)
}

type xmlWriter struct{ b []byte }

func (w *xmlWriter) open(name string)  { w.b = append(append(append(w.b, '<'), name...), '>') }
func (w *xmlWriter) close(name string) { w.b = append(append(append(w.b, "</"...), name...), '>') }

func (w *xmlWriter) text(name, s string) {
	w.open(name)
	w.b = appendEscaped(w.b, s)
	w.close(name)
}

func (w *xmlWriter) textIf(name, s string) {
	if s != "" {
		w.text(name, s)
	}
}

func (w *xmlWriter) number(name string, n int64) {
	w.open(name)
	w.b = strconv.AppendInt(w.b, n, 10)
	w.close(name)
}

// openWith opens an element with one attribute.
func (w *xmlWriter) openWith(name, attribute, value string) {
	w.b = append(append(append(append(append(w.b, '<'), name...), ' '), attribute...), `="`...)
	w.b = append(appendEscaped(w.b, value), `">`...)
}

func (w *xmlWriter) port(name string, p port) {
	w.openWith(name, "enabled", strconv.FormatBool(p.Enabled))
	w.b = strconv.AppendInt(w.b, int64(p.Number), 10)
	w.close(name)
}

func (w *xmlWriter) center(c center) {
	w.openWith("dataCenterInfo", "class", c.Class)
	w.text("name", c.Name)
	if len(c.Metadata) > 0 {
		w.pairs("metadata", c.Metadata)
	}
	w.close("dataCenterInfo")
}

func (w *xmlWriter) pairs(name string, m map[string]string) {
	w.open(name)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.text(toXMLName(k), m[k])
	}
	w.close(name)
}

// rest writes what a compact instance has not.
func (w *xmlWriter) rest(i *instance) {
	w.open("leaseInfo")
	w.number("renewalIntervalInSecs", i.Lease.Renewal)
	w.number("durationInSecs", i.Lease.Duration)
	w.number("registrationTimestamp", i.Lease.Registered)
	w.number("lastRenewalTimestamp", i.Lease.Renewed)
	w.number("evictionTimestamp", 0)
	w.number("serviceUpTimestamp", i.Lease.Upon)
	w.close("leaseInfo")
	if len(i.Metadata) > 0 {
		w.pairs("metadata", i.Metadata)
	} else {
		w.openWith("metadata", "class", emptyMap)
		w.close("metadata")
	}
	w.textIf("homePageUrl", i.Home)
	w.textIf("statusPageUrl", i.StatusPage)
	w.textIf("healthCheckUrl", i.Health)
	w.textIf("secureHealthCheckUrl", i.SecureHealth)
}

// appendEscaped writes text so that it can stand in an element or an attribute. What
// no document may hold becomes the sign for it.
func appendEscaped(b []byte, s string) []byte {
	for n := 0; n < len(s); {
		c := s[n]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[n:])
			if r == 0xfffe || r == 0xffff {
				r = utf8.RuneError
			}
			b = utf8.AppendRune(b, r)
			n += size
			continue
		}
		n++
		switch {
		case c == '<':
			b = append(b, "&lt;"...)
		case c == '>':
			b = append(b, "&gt;"...)
		case c == '&':
			b = append(b, "&amp;"...)
		case c == '"':
			b = append(b, "&quot;"...)
		case c == '\r' || c == '\t' || c == '\n':
			b = append(strconv.AppendInt(append(b, "&#"...), int64(c), 10), ';')
		case c < ' ':
			b = utf8.AppendRune(b, utf8.RuneError)
		default:
			b = append(b, c)
		}
	}
	return b
}
