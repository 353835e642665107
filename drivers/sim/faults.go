package sim

import (
	"math/rand/v2"
	"sync"
)

// Op is an operation that something may go wrong with.
type Op int

// The operations.
const (
	OpBuild Op = iota + 1
	OpStart
	OpStop
	OpReboot
	OpDelete
	OpRelease
)

func (o Op) String() string {
	return [...]string{"?", "build", "start", "stop", "reboot", "delete", "release"}[o]
}

// Fault is what goes wrong with one operation.
type Fault int

// The faults.
const (
	None       Fault = iota
	FailBefore       // nothing was done, and it says so (Internal)
	FailAfter        // it was done, but the answer is an error (Internal)
	LostBefore       // the connection breaks, nothing was done (Unavailable)
	LostAfter        // it was done, but the connection breaks (Unavailable)
	CrashAfter       // it was done and answered; then the domain dies
	IgnoreACPI       // the guest does not hear the power button
)

// Hook chooses the fault of each operation. It is called without locks held,
// from as many goroutines as there are operations.
type Hook func(op Op, id string) Fault

// Chances are the probabilities of the faults, each from 0 to 1.
type Chances struct {
	FailBefore, FailAfter, LostBefore, LostAfter, CrashAfter, IgnoreACPI float64
}

// Hook draws from the chances. The same seed gives the same sequence of draws;
// one hook may serve many drivers.
func (c Chances) Hook(seed uint64) Hook {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 0))
	return func(Op, string) Fault {
		mu.Lock()
		x := r.Float64()
		mu.Unlock()
		for f, p := range []float64{None: 0, FailBefore: c.FailBefore, FailAfter: c.FailAfter, LostBefore: c.LostBefore,
			LostAfter: c.LostAfter, CrashAfter: c.CrashAfter, IgnoreACPI: c.IgnoreACPI} {
			if x < p {
				return Fault(f)
			}
			x -= p
		}
		return None
	}
}

func (d *machine) fault(op Op, id string) Fault {
	if d.cfg.Fault == nil {
		return None
	}
	return d.cfg.Fault(op, id)
}
