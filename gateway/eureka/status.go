package eureka

import (
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

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

// overrideLives is how long an override counts that nothing has asked for: that of an
// instance which has said all the time that it is down or starting. As long as it
// says that it is up, each renewal asks. With the instance the override goes.
// Source: overriddenInstanceStatusMap of Eureka's AbstractInstanceRegistry.
const overrideLives = time.Hour

// overridden is what an operator has said of an instance and still counts; "":
// nothing.
func (x *entry) overridden(now time.Time) string {
	if (x.Status == down || x.Status == starting) && now.Sub(time.UnixMilli(x.Updated)) > overrideLives {
		return ""
	}
	return x.e.StatusOverride
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
