// Package balancer picks, for each call to a service, one of the servers that
// offer it, by what a registry says of them and by what the calls themselves have
// shown. It owns server lists and where they come from, health as the caller sees
// it, and the rules of choosing; it knows nothing of HTTP or gRPC beyond its own
// adapters, and stands alone: the standard library is all that it needs.
//
// The rules and their defaults are those of Netflix' Ribbon 2 and Spring Cloud
// Netflix 2.2, and what Envoy, gRPC and Finagle do better.
package balancer

import (
	"maps"
	"net"
	"strconv"
)

// Endpoint is one address that serves, as a server list names it.
type Endpoint struct {
	ID       string // unique in its service; "": HOST:PORT
	Scheme   string // http or https; "": as the call says
	Host     string // name or address
	Port     int
	Zone     string  // "": none
	Weight   float64 // relative to others; 0 or less: it gets no calls
	Down     bool    // its registry says that it is not to be called
	Metadata map[string]string
}

// Address is HOST:PORT.
func (e *Endpoint) Address() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// key is what tells endpoints apart.
func (e *Endpoint) key() string {
	if e.ID != "" {
		return e.ID
	}
	return e.Address()
}

func (e *Endpoint) equal(o *Endpoint) bool {
	return e.ID == o.ID && e.Scheme == o.Scheme && e.Host == o.Host && e.Port == o.Port && e.Zone == o.Zone &&
		e.Weight == o.Weight && e.Down == o.Down && maps.Equal(e.Metadata, o.Metadata)
}

// valid says whether calls can go there at all.
func (e *Endpoint) valid() bool { return e.Host != "" && e.Port > 0 && e.Port < 1<<16 }
