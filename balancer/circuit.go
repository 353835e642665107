package balancer

import "time"

// Circuit is the rule by which a server that cannot be reached is left alone for a
// while: Ribbon's ServerStats, with the half-open state that it lacks.
type Circuit struct {
	Threshold int           // connection failures in a row
	Factor    time.Duration // of the first pause; doubled with every failure more
	Max       time.Duration // of any pause

	// Refused is the pause after a connection that was refused, at once and doubled
	// with every one more: nobody listens there, which a time-out does not say.
	// 0: it counts as any failure.
	Refused time.Duration
}

// DefaultCircuit is Ribbon's: 3 failures 10 s, 4 failures 20 s, from 5 on 30 s. What
// Ribbon does not tell apart, a refused connection, begins with 1 s.
var DefaultCircuit = Circuit{Threshold: 3, Factor: 10 * time.Second, Max: 30 * time.Second, Refused: time.Second}

// maxDoublings bounds the exponent, as Ribbon's does.
const maxDoublings = 16

// Blackout is how long after the last of so many failures in a row no call goes
// to a server; 0: calls do.
func (c Circuit) Blackout(failures int) time.Duration {
	if c.Threshold <= 0 || failures < c.Threshold {
		return 0
	}
	return c.doubled(c.Factor, failures-c.Threshold)
}

// After is Blackout, if the last failure may have been a refused connection.
func (c Circuit) After(failures int, refused bool) time.Duration {
	d := c.Blackout(failures)
	if refused && c.Refused > 0 {
		d = max(d, c.doubled(c.Refused, failures-1))
	}
	return d
}

func (c Circuit) doubled(d time.Duration, times int) time.Duration {
	if d <<= min(max(times, 0), maxDoublings); d > c.Max || d < 0 {
		return c.Max
	}
	return d
}
