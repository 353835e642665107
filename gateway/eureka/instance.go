package eureka

import (
	"slices"
	"strings"
)

// Statuses of an instance.
const (
	up           = "UP"
	down         = "DOWN"
	starting     = "STARTING"
	outOfService = "OUT_OF_SERVICE"
	unknown      = "UNKNOWN"
)

// statuses in the order in which a hash names them.
var statuses = []string{down, outOfService, starting, unknown, up}

// Actions of a change.
const (
	added    = "ADDED"
	modified = "MODIFIED"
	deleted  = "DELETED"
)

// Data centres.
const (
	myOwn       = "MyOwn"
	amazon      = "Amazon"
	myOwnClass  = "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"
	amazonClass = "com.netflix.appinfo.AmazonInfo"
	noGroup     = "UNKNOWN"
	noSID       = "na"
	emptyMap    = "java.util.Collections$EmptyMap"
	countryUS   = 1
	httpsPort   = 443
)

// instance is what Eureka knows of one server. Nobody changes one that is shared.
type instance struct {
	ID, Host, App, Group, IP, SID string
	Status, Override              string
	Port, Secure                  port
	Country                       int64
	Center                        center
	Lease                         lease
	Metadata                      map[string]string
	Home, StatusPage              string
	Health, SecureHealth          string
	VIP, SVIP, ASG                string
	Coordinating                  bool
	Updated, Dirty                int64 // Unix milliseconds
}

type port struct {
	Number  int32
	Enabled bool
}

// center is a data centre; without a name nothing was said of it.
type center struct {
	Class, Name string
	Metadata    map[string]string
	said        bool
}

// lease is in seconds, its times in Unix milliseconds.
type lease struct {
	Renewal, Duration         int64
	Registered, Renewed, Upon int64
}

// statusOf reads a status: Eureka takes what it does not know for UNKNOWN.
func statusOf(s string) string {
	if slices.Contains(statuses, s) {
		return s
	}
	return unknown
}

// identify gives an instance its id, as Eureka finds it: instanceId, else the data
// centre's, else the host's name.
func (i *instance) identify() {
	if i.ID == "" {
		i.ID = i.Center.Metadata["instance-id"]
	}
	if i.ID == "" {
		i.ID = i.Host
	}
}

// lacking is what Eureka answers a registration with that lacks something, in the
// order in which it looks; "": nothing.
func (i *instance) lacking(app string) string {
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	switch {
	case blank(i.ID):
		return "Missing instanceId"
	case blank(i.Host):
		return "Missing hostname"
	case blank(i.IP):
		return "Missing ip address"
	case blank(i.App):
		return "Missing appName"
	case i.App != app:
		return "Mismatched appName, expecting " + app + " but was " + i.App
	case !i.Center.said:
		return "Missing dataCenterInfo"
	case i.Center.Name == "":
		return "Missing dataCenterInfo Name"
	}
	return ""
}

// settle bounds the lease and fills in what Eureka fills in.
func (i *instance) settle() {
	l := &i.Lease
	if l.Duration <= 0 {
		l.Duration = DefaultDuration
	}
	l.Duration = min(max(l.Duration, MinDuration), MaxDuration)
	if l.Renewal <= 0 {
		l.Renewal = DefaultRenewal
	}
	if i.Group == "" {
		i.Group = noGroup
	}
	if i.Country == 0 {
		i.Country = countryUS
	}
	if i.Center.Class == "" {
		i.Center.Class = myOwnClass
		if i.Center.Name == amazon {
			i.Center.Class = amazonClass
		}
	}
}

// addresses splits a VIP address, which may be several.
func addresses(vip string) []string {
	if vip == "" {
		return nil
	}
	all := strings.Split(vip, ",")
	for n, one := range all {
		all[n] = strings.ToUpper(strings.TrimSpace(one))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
