package eureka

import (
	"errors"
	"strconv"
	"strings"
)

// node is an element of XML, or a value of JSON as it would be one: members whose
// name begins with @ are attributes, $ is the text, and the elements of an array
// are so many of one name.
type node struct {
	name, text string
	class      string // the attributes that mean something
	enabled    string
	kids       []*node
}

var (
	errDeep  = errors.New("elements lie too deep in each other")
	errMany  = errors.New("there are too many elements")
	errShape = errors.New("this is no instance")
)

// budget counts what a body may still hold.
type budget struct{ depth, nodes int }

func (b *budget) enter() error {
	b.depth--
	b.nodes--
	switch {
	case b.depth < 0:
		return errDeep
	case b.nodes < 0:
		return errMany
	}
	return nil
}

func (b *budget) leave() { b.depth++ }

// kid is the last one of a name: who says something twice means the last.
func (n *node) kid(name string) *node {
	if n == nil {
		return nil
	}
	for i := len(n.kids) - 1; i >= 0; i-- {
		if n.kids[i].name == name {
			return n.kids[i]
		}
	}
	return nil
}

// all is every one of a name.
func (n *node) all(name string) (some []*node) {
	for _, k := range n.kids {
		if k.name == name {
			some = append(some, k)
		}
	}
	return some
}

func (n *node) value(name string) string {
	if k := n.kid(name); k != nil {
		return strings.TrimSpace(k.text)
	}
	return ""
}

func (n *node) number(name string) int64 { return number(n.value(name)) }

// number reads what should be one; anything else is 0.
func number(s string) int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f < -1<<53 || f > 1<<53 || f != f {
			return 0
		}
		return int64(f)
	}
	return v
}

// pairs reads metadata. A name that was said twice counts with its last value.
func (n *node) pairs() map[string]string {
	if n == nil || len(n.kids) == 0 {
		return nil
	}
	m := make(map[string]string, len(n.kids))
	for _, k := range n.kids {
		m[k.name] = k.text
	}
	return m
}

func (n *node) port(name string, otherwise port) port {
	k := n.kid(name)
	if k == nil {
		return otherwise
	}
	number := number(strings.TrimSpace(k.text))
	if number < 0 || number > 1<<16 { // which a check refuses later
		number = 1 << 16
	}
	return port{int32(number), k.enabled == "" && name == "port" || strings.EqualFold(k.enabled, "true")}
}

// instance reads one; what is not there has Eureka's default.
func (n *node) instance() *instance {
	i := &instance{
		ID: n.value("instanceId"), Host: n.value("hostName"), App: strings.ToUpper(n.value("app")),
		Group: strings.ToUpper(n.value("appGroupName")), IP: n.value("ipAddr"), SID: n.value("sid"),
		Status: up, Override: unknown, Country: n.number("countryId"),
		Port: n.port("port", port{7001, true}), Secure: n.port("securePort", port{httpsPort, false}),
		Metadata: n.kid("metadata").pairs(), Home: n.value("homePageUrl"), StatusPage: n.value("statusPageUrl"),
		Health: n.value("healthCheckUrl"), SecureHealth: n.value("secureHealthCheckUrl"),
		VIP: n.value("vipAddress"), SVIP: n.value("secureVipAddress"), ASG: n.value("asgName"),
		Coordinating: n.value("isCoordinatingDiscoveryServer") == "true",
		Updated:      n.number("lastUpdatedTimestamp"), Dirty: n.number("lastDirtyTimestamp"),
	}
	if s := n.value("status"); s != "" {
		i.Status = statusOf(s)
	}
	for _, name := range []string{"overriddenStatus", "overriddenstatus"} { // the new spelling goes before
		if s := n.value(name); s != "" {
			i.Override = statusOf(s)
		}
	}
	if c := n.kid("dataCenterInfo"); c != nil {
		i.Center = center{Class: c.class, Name: c.value("name"), Metadata: c.kid("metadata").pairs(), said: true}
	}
	if l := n.kid("leaseInfo"); l != nil {
		i.Lease = lease{Renewal: l.number("renewalIntervalInSecs"), Duration: l.number("durationInSecs")}
	}
	i.identify()
	return i
}
