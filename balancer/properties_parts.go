package balancer

import (
	"context"
	"errors"
	"net"
	"time"
)

// rule is the one that is named, with its limits.
func (r *reader) rule() Rule {
	value, key := r.text("NFLoadBalancerRuleClassName")
	balancing, _ := r.text("NFLoadBalancerClassName")
	if value == "" {
		value = "ZoneAvoidanceRule"
		if class(balancing) == "BaseLoadBalancer" {
			value = "RoundRobinRule"
		}
	}
	rule, err := RuleByName(value)
	if err != nil {
		r.wrong(key, value, "the name of a rule")
		rule = &ZoneAvoidance{}
	}
	limit := int64(r.count(0)(r.text("ActiveConnectionsLimit")))
	if limit == 0 {
		limit = int64(r.count(0)(r.niws("niws.loadbalancer.availabilityFilteringRule.activeConnectionsLimit")))
	}
	policy := ZonePolicy{
		TriggeringLoad: r.share(DefaultZonePolicy.TriggeringLoad)(r.niws("ZoneAwareNIWSDiscoveryLoadBalancer.%s.triggeringLoadPerServerThreshold")),
		Blackout: r.share(DefaultZonePolicy.Blackout)(r.niws(
			"ZoneAwareNIWSDiscoveryLoadBalancer.%s.avoidZoneWithBlackoutPercetage", "ZoneAwareNIWSDiscoveryLoadBalancer.%s.avoidZoneWithBlackoutPercentage")),
	}
	aware := r.yes(true)(r.niws("ZoneAwareNIWSDiscoveryLoadBalancer.enabled"))
	switch own := rule.(type) {
	case *AvailabilityFiltering:
		own.Limit = limit
	case *ZoneAvoidance:
		own.Limit, own.Policy = limit, policy
		if !r.yes(true)(r.niws("niws.loadbalancer.zoneAvoidanceRule.enabled")) {
			return &AvailabilityFiltering{Limit: limit}
		}
	case *WeightedResponseTime:
		own.Every = r.millis("ServerWeightTaskTimerInterval", DefaultWeightEvery)
	}
	// The balancer of Ribbon's that has one for each zone draws the zone first.
	if name := class(balancing); aware && name == "ZoneAwareLoadBalancer" {
		if _, zones := rule.(*ZoneAvoidance); !zones {
			return &ZoneAware{Policy: policy, Rule: func() Rule {
				again, err := RuleByName(value)
				if own, ok := again.(*AvailabilityFiltering); ok {
					own.Limit = limit
				}
				if err != nil {
					again = &AvailabilityFiltering{Limit: limit}
				}
				return again
			}}
		}
	}
	return rule
}

// filter is the one that is named; of zones also where none is.
func (r *reader) filter() Filter {
	value, key := r.text("NIWSServerListFilterClassName")
	affinity := ZoneAffinity{
		Exclusive:    r.truth("EnableZoneExclusivity", false),
		MaxLoad:      r.share(DefaultMaxLoad)(r.text("zoneAffinity.maxLoadPerServer")),
		MaxBlackout:  r.share(DefaultMaxBlackout)(r.text("zoneAffinity.maxBlackOutServesrPercentage", "zoneAffinity.maxBlackOutServersPercentage")),
		MinAvailable: r.count(DefaultMinAvailable)(r.text("zoneAffinity.minAvailableServers")),
	}
	near := Filter(nil)
	if affinity.Exclusive || r.truth("EnableZoneAffinity", false) {
		near = affinity
	}
	switch class(value) {
	case "", "ZoneAffinityServerListFilter", "DefaultNIWSServerListFilter":
		return near
	case "ZonePreferenceServerListFilter":
		return ZonePreference{}
	case "ServerListSubsetFilter":
		subset := &ServerListSubset{
			Size: r.count(DefaultSubset)(r.text("ServerListSubsetFilter.size")),
			MaxConnections: int64(r.count(0)(r.text(
				"ServerListSubsetFilter.eliminationConnectionThresold", "ServerListSubsetFilter.eliminationConnectionThreshold"))),
			MaxFailures: int64(r.count(0)(r.text(
				"ServerListSubsetFilter.eliminationFailureThresold", "ServerListSubsetFilter.eliminationFailureThreshold"))),
			ForceEliminate: r.share(DefaultForceEliminate)(r.text("ServerListSubsetFilter.forceEliminatePercent")),
			Every:          r.millis("ServerListRefreshInterval", DefaultEvery),
		}
		if near == nil {
			return subset
		}
		return Filters{near, subset}
	}
	r.wrong(key, value, "the name of a filter")
	return near
}

func (r *reader) circuit() *Circuit {
	c := DefaultCircuit
	second := func(without time.Duration, form string) time.Duration {
		return time.Duration(r.count(int(without/time.Second))(r.niws(form))) * time.Second
	}
	c.Threshold = r.count(c.Threshold)(r.niws("niws.loadbalancer.%s.connectionFailureCountThreshold"))
	c.Factor = second(c.Factor, "niws.loadbalancer.%s.circuitTripTimeoutFactorSeconds")
	c.Max = second(c.Max, "niws.loadbalancer.%s.circuitTripMaxTimeoutSeconds")
	if !r.yes(true)(r.niws("niws.loadbalancer.availabilityFilteringRule.filterCircuitTripped")) {
		c.Threshold, c.Refused = 0, 0
	}
	return &c
}

// ping is the one that is named; nil where all count as alive.
func (r *reader) ping() *Pinging {
	value, key := r.text("NFLoadBalancerPingClassName")
	p := &Pinging{Every: r.seconds("NFLoadBalancerPingInterval", DefaultPingEvery), Time: r.seconds("NFLoadBalancerMaxTotalPingTime", DefaultPingTime)}
	switch class(value) {
	case "", "DummyPing", "NoOpPing", "PingConstant", "NIWSDiscoveryPing", "NacosPing": // what the registry says counts anyway
		return nil
	case "PingUrl":
		path, _ := r.text("PingUrl.urlAppendString")
		expected, _ := r.text("PingUrl.expectedContent")
		p.Ping = PingHTTP(path, expected)
	case "PingTcp":
		p.Ping = PingTCP
	default:
		r.wrong(key, value, "the name of a ping")
		return nil
	}
	return p
}

func (r *reader) priming() *Priming {
	p := &Priming{
		Tries: r.number("MaxRetriesPerServerPrimeConnection", DefaultPrimeTries),
		Time:  r.millis("MaxTotalTimeToPrimeConnections", DefaultPrimeTime),
		Ratio: r.share(DefaultPrimeRatio)(r.text("MinPrimeConnectionsRatio")),
	}
	p.Path, _ = r.text("PrimeConnectionsURI")
	if !r.truth("EnablePrimeConnections", false) {
		return nil
	}
	return p
}

// configured is a source of lists that stand in the settings, or of another's.
type configured struct {
	*Properties
	other Source
}

// Watch implements Source.
func (c configured) Watch(ctx context.Context, service string, update func([]Endpoint)) error {
	s, err := c.Of(service)
	if len(s.Servers) > 0 {
		return Fixed{service: s.Servers}.Watch(ctx, service, update)
	}
	if c.other == nil {
		return errors.Join(errors.New("there is no listOfServers, and no registry"), err)
	}
	return c.other.Watch(ctx, service, update)
}

func dialer(limit time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: limit, KeepAlive: 15 * time.Second}
}
