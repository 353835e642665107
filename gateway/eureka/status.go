package eureka

import "github.com/troupe-cloud/troupe/messages"

// resolve is the status that Eureka shows: what the instance says if it does not
// serve yet or any more, else what an operator says, else what it says.
func resolve(said, override string) string {
	if said != down && said != starting && override != "" {
		return override
	}
	return said
}

// kept is the status with which an instance registers again: as long as nothing
// says that it is down, one that was up or out of service stays that.
func kept(said, before string) string {
	if said != down && said != starting && (before == up || before == outOfService) {
		return before
	}
	return said
}

// flags are how other dialects see a status.
func flags(status string) (enabled, healthy bool) {
	return status != outOfService, status == up || status == outOfService
}

// shown is the status of an endpoint. What another dialect has set counts: of one
// that is registered here the flags say what its status says, until somebody sets
// them.
func shown(e *messages.Endpoint) string {
	if e.Dialect != dialect || e.Status == "" {
		switch {
		case !e.Enabled:
			return outOfService
		case !e.Healthy:
			return down
		}
		return up
	}
	s := resolve(e.Status, e.StatusOverride)
	switch {
	case s == up && !e.Enabled:
		return outOfService
	case s == outOfService && e.Enabled:
		return up
	}
	return s
}

// missed says whether an endpoint that is registered here has not renewed in time:
// then it is unhealthy, although what it says does not make it so.
func missed(e *messages.Endpoint) bool {
	_, healthy := flags(resolve(e.Status, e.StatusOverride))
	return e.Dialect == dialect && e.Status != "" && healthy && !e.Healthy
}
