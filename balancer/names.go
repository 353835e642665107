package balancer

import (
	"fmt"
	"strings"
)

// rules by the names that settings have for them, in lower case without hyphens:
// ours, and the class names of Ribbon, Spring Cloud LoadBalancer and Nacos.
var rules = map[string]func() Rule{
	"roundrobin":           func() Rule { return &RoundRobin{} },
	"weightedroundrobin":   func() Rule { return &WeightedRoundRobin{} },
	"random":               func() Rule { return &Random{} },
	"p2c":                  func() Rule { return &P2C{} },
	"leastrequest":         func() Rule { return &P2C{} },
	"peakewma":             func() Rule { return &PeakEWMA{} },
	"bestavailable":        func() Rule { return &BestAvailable{} },
	"availability":         func() Rule { return &AvailabilityFiltering{} },
	"weightedresponsetime": func() Rule { return &WeightedResponseTime{} },
	"zoneavoidance":        func() Rule { return &ZoneAvoidance{} },
	"zoneaware":            func() Rule { return &ZoneAware{} },
	"ringhash":             func() Rule { return &RingHash{} },
	"maglev":               func() Rule { return &Maglev{} },

	"roundrobinrule":                    func() Rule { return &RoundRobin{} },
	"clientconfigenabledroundrobinrule": func() Rule { return &RoundRobin{} },
	"retryrule":                         func() Rule { return &RoundRobin{} }, // every rule here is asked again
	"randomrule":                        func() Rule { return &Random{} },
	"availabilityfilteringrule":         func() Rule { return &AvailabilityFiltering{} },
	"bestavailablerule":                 func() Rule { return &BestAvailable{} },
	"weightedresponsetimerule":          func() Rule { return &WeightedResponseTime{} },
	"responsetimeweightedrule":          func() Rule { return &WeightedResponseTime{} },
	"zoneavoidancerule":                 func() Rule { return &ZoneAvoidance{} },
	"roundrobinloadbalancer":            func() Rule { return &RoundRobin{} },
	"randomloadbalancer":                func() Rule { return &Random{} },
	"nacosrule":                         func() Rule { return &Random{} }, // by weight
	"nacosloadbalancer":                 func() Rule { return &Random{} },
}

// RuleByName makes a rule by its name here ("peak-ewma", "p2c", ...) or the name of
// its class in Ribbon, Spring or Nacos, with its package or without.
func RuleByName(name string) (Rule, error) {
	if made := rules[strings.ReplaceAll(strings.ToLower(class(name)), "-", "")]; made != nil {
		return made(), nil
	}
	return nil, fmt.Errorf("no rule is called %.80q", name)
}

// class is the name of a Java class without its package.
func class(name string) string {
	name = strings.TrimSpace(name)
	return name[strings.LastIndexByte(name, '.')+1:]
}
