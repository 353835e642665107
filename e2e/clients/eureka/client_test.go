package eureka

import (
	"testing"
	"time"
)

// server is an instance that a client registers.
type server struct {
	app, host, ip string
	port          int
	metadata      map[string]string
}

// seen is an instance as a client sees it.
type seen struct {
	IP       string            `json:"ip"`
	Port     int               `json:"port"`
	Status   string            `json:"status"`
	Metadata map[string]string `json:"metadata"`
}

// Leases of the tests: who is alive renews each second.
const (
	renewEvery = time.Second
	leaseTime  = 10 * time.Second
)

// client is one of the clients, with one instance.
type client interface {
	// register makes the instance known and renews it, until it is cancelled or killed.
	register() error
	cancel() error
	// list asks for the instances of an app.
	list(app string) ([]seen, error)
	// kill ends the client without a word.
	kill()
}

const (
	// patience is how long anything may take.
	patience = 2 * time.Minute
	// look is how often what tells nobody of its changes is looked at.
	look = 200 * time.Millisecond
)

// await looks until something is right.
func await(t *testing.T, what string, right func() bool) {
	t.Helper()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	late := time.After(patience)
	for !right() {
		select {
		case <-ticker.C:
		case <-late:
			t.Fatalf("never seen: %s", what)
		}
	}
}
