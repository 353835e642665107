package balancertest

import (
	"net/http"
	"sync"
	"syscall"
	"testing"
)

// Harm is what may befall a server.
type Harm struct {
	Name    string
	Befalls func(testing.TB, *Server) // returns when it is done
}

// The harm that there is.
var (
	Killed  = Harm{"killed", func(t testing.TB, s *Server) { s.signal(t, syscall.SIGKILL) }}
	Stalled = Harm{"stalled", func(t testing.TB, s *Server) { s.signal(t, syscall.SIGSTOP) }}
	Slowed  = Harm{"slowed", func(t testing.TB, s *Server) { s.tell(t, slowWord) }}
	Failing = Harm{"made to answer 500", func(t testing.TB, s *Server) { s.tell(t, failWord) }}
)

// Loaders is how many call at once in Load.
const Loaders = 4

// Load has each of the Loaders call so often before the harm and as often after it,
// by the methods that may be used twice in turn.
func Load(each int, call func(method string), harm func()) {
	methods := []string{http.MethodGet, http.MethodPut, http.MethodDelete}
	var half, all sync.WaitGroup
	half.Add(Loaders)
	harmed := make(chan struct{})
	for i := range Loaders {
		all.Go(func() {
			for n := range 2 * each {
				if n == each {
					half.Done()
					<-harmed
				}
				call(methods[(i+n)%len(methods)])
			}
		})
	}
	half.Wait()
	harm()
	close(harmed)
	all.Wait()
}
