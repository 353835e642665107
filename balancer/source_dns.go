package balancer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// DNS looks services up: SRV records of _service._proto.domain if Proto is given,
// else the addresses of service.domain with a fixed port. Source: RFC 2782.
type DNS struct {
	Domain   string // "": service is the whole name
	Proto    string // tcp or udp; "": no SRV
	Port     int    // without SRV
	Resolver *net.Resolver
}

// NewDNS asks every so often; 0: DefaultEvery.
func NewDNS(d DNS, every time.Duration) Source { return Poll(d, every) }

// List implements Lister. Of SRV records only those of the best priority count.
func (d DNS) List(ctx context.Context, service string) ([]Endpoint, error) {
	resolver := d.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	if d.Proto != "" {
		return d.srv(ctx, resolver, service)
	}
	name := service
	if d.Domain != "" {
		name += "." + d.Domain
	}
	hosts, err := resolver.LookupHost(ctx, name)
	if absent(err) {
		return nil, nil
	}
	var list []Endpoint
	for _, h := range hosts {
		list = append(list, Endpoint{Host: h, Port: d.Port, Weight: 1})
	}
	return list, err
}

func (d DNS) srv(ctx context.Context, resolver *net.Resolver, service string) ([]Endpoint, error) {
	_, records, err := resolver.LookupSRV(ctx, service, d.Proto, d.Domain)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Endpoint
	for _, r := range records {
		if r.Priority != records[0].Priority { // they are in order
			break
		}
		list = append(list, Endpoint{Host: strings.TrimSuffix(r.Target, "."), Port: int(r.Port), Weight: max(float64(r.Weight), 1)})
	}
	return list, nil
}

// absent says that the name is known not to exist, which is an answer.
func absent(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// ParseEndpoint reads HOST:PORT, with http:// or https:// before it if need be.
func ParseEndpoint(address string) (Endpoint, error) {
	e := Endpoint{Weight: 1}
	if scheme, rest, ok := strings.Cut(address, "://"); ok {
		e.Scheme, address = scheme, strings.TrimSuffix(rest, "/")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return e, err
	}
	e.Host = host
	if e.Port, err = strconv.Atoi(port); err != nil || !e.valid() || e.Scheme != "" && e.Scheme != "http" && e.Scheme != "https" {
		return e, fmt.Errorf("%.80q is not HOST:PORT", address)
	}
	return e, nil
}
